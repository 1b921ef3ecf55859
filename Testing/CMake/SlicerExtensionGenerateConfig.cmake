# What Slicer demands of an extension's description, and what our tests read of it.
foreach(name HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if(NOT EXTENSION_${name})
    message(FATAL_ERROR "EXTENSION_${name} is not set")
  endif()
endforeach()

get_property(modules GLOBAL PROPERTY StandIn_MODULES)
get_property(tests GLOBAL PROPERTY StandIn_TESTS)
list(JOIN modules " " modules)
list(JOIN tests " " tests)
file(WRITE ${CMAKE_BINARY_DIR}/extension.json "{
  \"name\": \"${PROJECT_NAME}\", \"category\": \"${EXTENSION_CATEGORY}\", \"depends\": \"${EXTENSION_DEPENDS}\",
  \"homepage\": \"${EXTENSION_HOMEPAGE}\", \"icon\": \"${EXTENSION_ICONURL}\",
  \"screenshots\": \"${EXTENSION_SCREENSHOTURLS}\",
  \"modules\": \"${modules}\", \"tests\": \"${tests}\"
}
")
