# Several processes that train together. The part that speaks MPI is a module beside the program, which loads it
# when mpirun has started several of it: to load MPI's libraries takes 1 to 2 ms of the 20 that `mend --version` may.
include(GNUInstallDirs)
file(RELATIVE_PATH module_folder ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR}/mend)
set_source_files_properties(${PROJECT_SOURCE_DIR}/train/launched_replicas.cpp PROPERTIES
                            COMPILE_DEFINITIONS MEND_MODULE_FOLDER="${module_folder}")
if(NOT CMAKE_CROSSCOMPILING)  # that would find the MPI of the machine which compiles
  find_package(MPI QUIET COMPONENTS C)
endif()
if(NOT MPI_C_FOUND)
  message(STATUS "mend: MPI not found; training runs as one process (make deps installs it)")
  return()
endif()
add_library(mend_mpi MODULE ${PROJECT_SOURCE_DIR}/train/mpi/mpi_replicas.cpp)
target_link_libraries(mend_mpi PRIVATE mend_options MPI::MPI_C)
# The C++ bindings, which MPI has dropped, would be one library more.
target_compile_definitions(mend_mpi PRIVATE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
set_target_properties(mend_mpi PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
install(TARGETS mend_mpi DESTINATION ${CMAKE_INSTALL_LIBDIR}/mend)
