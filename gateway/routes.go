package gateway

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// DefaultApp is the app that the base path /v1 means, and in this version the only one.
const DefaultApp = "default"

var appName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// route is a path of the protocol, taken apart.
type route struct {
	pattern    string // row of the route table
	app        string
	collection string
	id         string // of a document, or an index's name
}

type handler func(*call) error

// routeTable says what is answered where. HEAD follows from GET.
func routeTable() map[string]map[string]handler {
	return map[string]map[string]handler{
		"/db":                       {"GET": (*call).listCollections},
		"/db/{collection}":          {"GET": (*call).find, "POST": (*call).insert, "PUT": (*call).putCollection, "DELETE": (*call).dropCollection},
		"/db/{collection}/{id}":     {"GET": (*call).load, "PUT": (*call).replace, "PATCH": (*call).update, "DELETE": (*call).remove},
		"/db/{collection}:query":    {"POST": (*call).find},
		"/db/{collection}:count":    {"GET": (*call).count, "POST": (*call).count},
		"/db/{collection}:explain":  {"GET": (*call).explain, "POST": (*call).explain},
		"/db/{collection}:settings": {"GET": (*call).settings},
		"/db/{collection}:truncate": {"POST": (*call).truncate},
		"/db/{collection}:indexes":  {"GET": (*call).listIndexes},

		"/db/{collection}:indexes/{index}": {"GET": (*call).loadIndex, "PUT": (*call).putIndex, "DELETE": (*call).dropIndex},

		"/bulk": {"POST": (*call).bulk},
		"/live": {"GET": (*call).live},
	}
}

// operations are what may follow a collection's name after a colon.
var operations = []string{"query", "count", "explain", "settings", "truncate", "indexes"}

// parseRoute takes the escaped path apart, so that an id may hold any character, a slash included (invariant 5).
func parseRoute(escaped string) (route, error) {
	rt := route{app: DefaultApp}
	rest, ok := strings.CutPrefix(escaped, "/v1/")
	if !ok {
		return rt, notFound(escaped)
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		text, err := url.PathUnescape(s)
		if err != nil || text == "" {
			return rt, notFound(escaped)
		}
		segments[i] = text
	}
	if segments[0] == "apps" {
		if len(segments) < 3 {
			return rt, notFound(escaped)
		}
		if rt.app = segments[1]; !appName.MatchString(rt.app) {
			return rt, problemf("app-not-found", "%q is no app's name; names are [a-z][a-z0-9-]{0,31}.", rt.app)
		}
		segments = segments[2:]
	}
	switch {
	case segments[0] == "bulk" && len(segments) == 1:
		rt.pattern = "/bulk"
	case segments[0] == "live" && len(segments) == 1:
		rt.pattern = "/live"
	case segments[0] == "db" && len(segments) == 1:
		rt.pattern = "/db"
	case segments[0] == "db" && len(segments) == 2:
		return rt.withCollection(segments[1])
	case segments[0] == "db" && len(segments) == 3 && strings.HasSuffix(segments[1], ":indexes"):
		rt, err := rt.withCollection(segments[1])
		rt.pattern, rt.id = rt.pattern+"/{index}", segments[2]
		return rt, err
	case segments[0] == "db" && len(segments) == 3:
		rt.pattern, rt.id = "/db/{collection}/{id}", segments[2]
		rt.collection = segments[1]
		return rt, checkCollectionName(rt.collection)
	default:
		return rt, notFound(escaped)
	}
	return rt, nil
}

func (rt route) withCollection(segment string) (route, error) {
	name, operation, found := strings.Cut(segment, ":")
	rt.pattern, rt.collection = "/db/{collection}", name
	if found {
		if !slices.Contains(operations, operation) {
			return rt, problemf("route-not-found", "There is no operation %q on a collection%s", operation, didYouMean(operation, operations))
		}
		rt.pattern += ":" + operation
	}
	return rt, checkCollectionName(name)
}

func notFound(path string) error {
	return problemf("route-not-found", "There is nothing at %s; the collections are at /v1/db, and a / within an id is written %%2F.", path)
}

// isCollectionName reports whether name is [A-Za-z][A-Za-z0-9_.-]{0,63}. Every request asks.
func isCollectionName(name string) bool {
	for i, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		other := c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

func checkCollectionName(name string) error {
	if isCollectionName(name) {
		return nil
	}
	return problemf("collection-name-invalid", "%q is no collection's name; a letter, then up to 63 of letters, digits, _, . and -.", name)
}

// allowed lists the methods of a row of the route table.
func allowed(methods map[string]handler) string {
	list := []string{http.MethodOptions}
	for method := range methods {
		list = append(list, method)
		if method == http.MethodGet {
			list = append(list, http.MethodHead)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
