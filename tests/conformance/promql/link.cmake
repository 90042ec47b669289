find_package(yaml-cpp REQUIRED)
target_link_libraries(conformance_promql PRIVATE yaml-cpp)
