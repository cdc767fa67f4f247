# xp_room() - declare a room: its sources, and the lower rooms that it may see.
#
#   xp_room(NAME FLOOR SOURCES a.c b.c USES base kind [LIBS ...] [TESTS a_test.c ...])
#
# NAME is the folder's name, FLOOR the folder that holds it: "impl", "." (conformance and bench) or
# "bench" (gate).
# Includes are written "xpshare/<room>/<header>.h" for rooms of impl/ and "<room>/<header>.h" for the
# rooms above it. A room compiles against a private include view: a folder of symbolic links in the
# build tree that holds only the rooms it names in USES and itself. So an include that points up does
# not compile, and a room that names one not yet declared (a cycle) does not configure.
#
# A test file becomes the program <room>.<noun>_test, a Criterion runner, and one ctest.

function(xp_view room floor)
  set(view ${PROJECT_BINARY_DIR}/view/${room})
  file(REMOVE_RECURSE ${view})
  file(MAKE_DIRECTORY ${view}/xpshare)
  foreach(seen IN LISTS ARGN)
    get_property(where GLOBAL PROPERTY XP_ROOM_${seen})
    if(NOT where)
      message(FATAL_ERROR "room '${room}' uses '${seen}', which is not declared below it")
    endif()
    if(where STREQUAL "impl")
      file(CREATE_LINK ${PROJECT_SOURCE_DIR}/impl/${seen} ${view}/xpshare/${seen} SYMBOLIC)
    else()
      file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${where}/${seen} ${view}/${seen} SYMBOLIC)
    endif()
  endforeach()
endfunction()

function(xp_room room floor)
  cmake_parse_arguments(PARSE_ARGV 2 R "" "" "SOURCES;USES;LIBS;TESTS")
  xp_view(${room} ${floor} ${R_USES})
  set(view ${PROJECT_BINARY_DIR}/view/${room})
  if(floor STREQUAL "impl")
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/impl/${room} ${view}/xpshare/${room} SYMBOLIC)
  else()
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${floor}/${room} ${view}/${room} SYMBOLIC)
  endif()

  # A room without sources (kind) is headers only.
  if(R_SOURCES)
    add_library(xp_${room} OBJECT ${R_SOURCES})
    target_include_directories(xp_${room} PRIVATE ${view})
    target_link_libraries(xp_${room} PUBLIC Threads::Threads ${R_LIBS})
  endif()
  set_property(GLOBAL PROPERTY XP_ROOM_${room} ${floor})
  set_property(GLOBAL APPEND PROPERTY XP_ROOMS ${room})
  set_property(GLOBAL PROPERTY XP_ROOM_${room}_USES ${R_USES})
  set_property(GLOBAL PROPERTY XP_ROOM_${room}_LIBS ${R_LIBS})
  foreach(test IN LISTS R_TESTS)
    xp_unit_test(${room} ${test})
  endforeach()
endfunction()

# xp_library() - libxpshare, static and shared, of all rooms of impl/ declared so far, and its headers.
# Headers are installed as they are included: <prefix>/include/xpshare/<room>/<header>.h.
function(xp_library)
  get_property(rooms GLOBAL PROPERTY XP_ROOMS)
  # The view of a user of the library: every room, as it will be installed.
  xp_view(library impl ${rooms})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/impl/xpshare.h ${PROJECT_BINARY_DIR}/view/library/xpshare/xpshare.h SYMBOLIC)
  set(objects)
  set(libs Threads::Threads)
  foreach(room IN LISTS rooms)
    if(TARGET xp_${room})
      list(APPEND objects $<TARGET_OBJECTS:xp_${room}>)
      get_property(needs GLOBAL PROPERTY XP_ROOM_${room}_LIBS)
      list(APPEND libs ${needs})
    endif()
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/impl/${room}
            DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xpshare FILES_MATCHING PATTERN "*.h" PATTERN "testdata" EXCLUDE)
  endforeach()
  list(REMOVE_DUPLICATES libs)
  add_library(xpshare STATIC ${objects})
  target_link_libraries(xpshare PUBLIC ${libs})
  target_include_directories(xpshare INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  add_library(xpshare_shared SHARED ${objects})
  target_link_libraries(xpshare_shared PRIVATE ${libs})
  # Threads that have called it give back what they hold when they end: its code must still be there.
  target_link_options(xpshare_shared PRIVATE LINKER:-z,nodelete)
  set_target_properties(xpshare_shared PROPERTIES OUTPUT_NAME xpshare VERSION ${PROJECT_VERSION}
                        SOVERSION ${PROJECT_VERSION_MAJOR})
  install(TARGETS xpshare xpshare_shared)
  install(FILES ${PROJECT_SOURCE_DIR}/impl/xpshare.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xpshare)
  install(FILES ${PROJECT_SOURCE_DIR}/impl/xpshare.7 DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)
  configure_file(${PROJECT_SOURCE_DIR}/impl/xpshare.pc.in ${PROJECT_BINARY_DIR}/xpshare.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/xpshare.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

# xp_program() - a program of a room, linked with the library; it sees what the room sees.
function(xp_program name room)
  cmake_parse_arguments(PARSE_ARGV 2 P "" "" "SOURCES;LIBS")
  add_executable(${name} ${P_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_BINARY_DIR}/view/${room})
  target_link_libraries(${name} PRIVATE xpshare ${P_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# xp_install_program() - install a program with its manual page.
function(xp_install_program name page)
  install(TARGETS ${name})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endfunction()

# xp_unit_test() - FILE is <noun>_test.c in the room's folder. Linked with the room's own objects and
# those of the rooms that it uses, so that a test of a low room does not wait for the high ones; above
# impl/ with the whole library.
function(xp_unit_test room file)
  if(NOT XP_UNIT_TESTS)
    return()
  endif()
  get_filename_component(noun ${file} NAME_WE)
  set(name ${room}.${noun}) # two rooms may have a test of the same noun
  get_property(uses GLOBAL PROPERTY XP_ROOM_${room}_USES)
  add_executable(${name} ${file})
  target_include_directories(${name} PRIVATE ${PROJECT_BINARY_DIR}/view/${room})
  target_link_libraries(${name} PRIVATE PkgConfig::CRITERION Threads::Threads)
  foreach(part IN LISTS uses ITEMS ${room})
    get_property(floor GLOBAL PROPERTY XP_ROOM_${part})
    if(TARGET xpshare AND floor STREQUAL "impl")
      target_link_libraries(${name} PRIVATE xpshare)
    elseif(TARGET xp_${part})
      target_link_libraries(${name} PRIVATE xp_${part})
    endif()
  endforeach()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test)
  add_test(NAME unit.${name} COMMAND ${name})
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
endfunction()
