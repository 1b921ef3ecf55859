# A small stand-in for 3D Slicer's build system, so that our CMake lists can be configured without Slicer:
#
#   cmake -S . -B BUILD -DSlicer_DIR=<this folder>
#
# It copies what the lists name to BUILD/lib/qt-scripted-modules, laid out as an installed extension, and refuses what
# Slicer refuses: a listed file that is missing, unknown keywords, a module without a name. Copying happens while
# configuring, so no build tool is needed.

set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/SlicerExtensionGenerateConfig.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/SlicerExtensionCPack.cmake)
set(Slicer_FOUND TRUE)
