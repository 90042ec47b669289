find_package(yaml-cpp REQUIRED)
target_link_libraries(conformance_exposition PRIVATE yaml-cpp)
