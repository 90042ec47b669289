// Nothing: CMake wants a source for the target that the precompiled headers belong to.
