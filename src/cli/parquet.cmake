# libroost_parquet.so: Parquet files through the Arrow libraries that Python's pyarrow 20 brings
# (Debian has none). Without them the program is the same, and says so when asked for Parquet.
# Not under ThreadSanitizer: Arrow's own threads are not instrumented.
set(parquet_python $ENV{ROOST_PYTHON})
if(NOT parquet_python)
  set(parquet_python ${CMAKE_SOURCE_DIR}/.dev/venv/bin/python)
endif()
set(parquet_folders "")
if(NOT ROOST_SANITIZE STREQUAL "thread" AND EXISTS ${parquet_python})
  execute_process(
    COMMAND ${parquet_python} -c
            "import pyarrow; print(pyarrow.get_include() + ';' + pyarrow.get_library_dirs()[0])"
    OUTPUT_VARIABLE parquet_folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(parquet_folders)
  list(GET parquet_folders 0 parquet_include)
  list(GET parquet_folders 1 parquet_libraries)
endif()
if(NOT parquet_folders OR NOT EXISTS ${parquet_libraries}/libparquet.so.2000)
  message(STATUS "Parquet: left out (no pyarrow 20 in ${parquet_python})")
  return()
endif()

add_library(roost_parquet MODULE
  parquet_builders.cc parquet_cells.cc parquet_reader.cc parquet_writer.cc npy.cc)
target_include_directories(roost_parquet PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_include_directories(roost_parquet SYSTEM PRIVATE ${parquet_include})
target_link_libraries(roost_parquet PRIVATE
  roost_store roost_base simdjson::simdjson fmt::fmt
  ${parquet_libraries}/libparquet.so.2000 ${parquet_libraries}/libarrow.so.2000)
# Arrow's classes carry no type information for -fsanitize=vptr.
if(ROOST_SANITIZE STREQUAL "address")
  target_compile_options(roost_parquet PRIVATE -fno-sanitize=vptr)
endif()
set_target_properties(roost_parquet PROPERTIES
  CXX_VISIBILITY_PRESET hidden
  BUILD_RPATH ${parquet_libraries}
  INSTALL_RPATH ${parquet_libraries}
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
install(TARGETS roost_parquet LIBRARY DESTINATION lib/roost)
