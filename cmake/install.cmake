# `make install`: the program, the static libraries, the headers, and find_package(mend).
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(floors engine kernels weights layers models restore train)
list(TRANSFORM floors PREPEND mend_ OUTPUT_VARIABLE floor_targets)
foreach(floor ${floors})
  set_target_properties(mend_${floor} PROPERTIES EXPORT_NAME ${floor})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${floor} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mend
          FILES_MATCHING PATTERN "*.h")
endforeach()
install(TARGETS ${floor_targets} mend_options mend_highway mend_images EXPORT mend_targets)
install(EXPORT mend_targets NAMESPACE mend:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mend)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mendConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/mendConfig.cmake
              ${PROJECT_SOURCE_DIR}/cmake/dependencies.cmake
              ${PROJECT_BINARY_DIR}/mendConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mend)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
