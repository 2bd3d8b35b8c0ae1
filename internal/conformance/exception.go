package conformance

// Exceptions are vectors that Freshet answers otherwise on purpose, by id, with the reason.
var Exceptions = map[string]string{
	"match-mongodb-cpp-00180":     "(*UCP) is PCRE's; RE2 has no Unicode classes by flag",
	"match-mongodb-cpp-00181":     "(*UCP) is PCRE's; RE2 has no Unicode classes by flag",
	"match-mongodb-cpp-00182":     "(*UCP) is PCRE's; RE2 has no Unicode classes by flag",
	"match-mongodb-cpp-00185":     "(*CR) is PCRE's; lines of RE2 end with a line feed",
	"match-mongodb-cpp-00186":     "(*CR) is PCRE's; lines of RE2 end with a line feed",
	"match-mongodb-jstests-02625": "an integer literal is a long here; the source means an int or a double",
	"match-mongodb-jstests-02626": "an integer literal is a long here; the source means an int or a double",
	"match-mongodb-jstests-02632": "an integer literal is a long here; the source means an int or a double",
	"match-mongodb-jstests-02633": "an integer literal is a long here; the source means an int or a double",
	"match-mongodb-jstests-02639": "an integer literal is a long here; the source means an int or a double",
	"match-mongodb-jstests-02640": "an integer literal is a long here; the source means an int or a double",
	"match-mongodb-jstests-02646": "an integer literal is a long here; the source means an int or a double",
	"match-mongodb-jstests-02647": "an integer literal is a long here; the source means an int or a double",
	"match-ferretdb-02210":        "-0 is an integer literal, so the long 0",
	"match-ferretdb-02296":        "an integer literal is a long here; the source means an int or a double",
	"match-ferretdb-02297":        "an integer literal is a long here; the source means an int or a double",
	"match-ferretdb-02298":        "an integer literal is a long here; the source means an int or a double",
}
