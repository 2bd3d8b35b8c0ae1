package matcher

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

func testCollation(t testing.TB, text string) *collation {
	t.Helper()
	c, err := parseCollation([]byte(text), Limits{}.WithDefaults())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

// TestCollationOrder has strings in their order; those in one text, set off by spaces, are equal (~ stands for a space).
func TestCollationOrder(t *testing.T) {
	for _, test := range []struct {
		collation string
		order     []string
	}{
		{`{"locale":"en"}`, []string{"", "~", "-", "$", "1", "10", "2", "a", "A", "ä a\u0308", "ab", "B", "z", "Z", "α", "б", "一"}},
		{`{"locale":"de"}`, []string{"a", "A", "ä a\u0308", "Ä", "az", "o", "ö", "s", "ss", "ß", "z"}},
		{`{"locale":"de@collation=phonebook"}`, []string{"ad", "ae", "ä", "af"}},
		{`{"locale":"sv"}`, []string{"a", "z", "å a\u030a", "ä", "ö"}},
		{`{"locale":"da","caseFirst":"off"}`, []string{"a", "z", "æ", "ø", "å", "aa"}},
		{`{"locale":"nb"}`, []string{"a", "z", "æ", "ø", "å", "aa"}},
		{`{"locale":"es"}`, []string{"n", "nz", "ñ", "Ñ", "o"}},
		{`{"locale":"cs"}`, []string{"c", "cz", "č", "h", "hz", "ch", "i"}},
		{`{"locale":"fr"}`, []string{"cote", "coté", "côte", "côté"}},
		{`{"locale":"fr_CA"}`, []string{"cote", "côte", "coté", "côté"}},
		{`{"locale":"fr","backwards":true}`, []string{"cote", "côte", "coté", "côté"}},
		{`{"locale":"fr_CA","backwards":false}`, []string{"cote", "coté", "côte", "côté"}},
		{`{"locale":"tr"}`, []string{"h", "ı", "I", "i", "İ", "j"}},
		{`{"locale":"ru"}`, []string{"1", "а", "е", "ё", "ж", "я", "a", "z", "α"}},
		{`{"locale":"el"}`, []string{"1", "α", "ω", "a", "б"}},
		{`{"locale":"hi"}`, []string{"1", "क", "ক", "ක", "a", "α"}},
		{`{"locale":"ko"}`, []string{"1", "가", "힣", "a", "α"}},
		{`{"locale":"zh"}`, []string{"1", "阿", "北", "中", "a", "α"}},
		{`{"locale":"th"}`, []string{"ก", "ก์", "ก็", "ก่", "ข"}},
		{`{"locale":"ru"}`, []string{"ж ж", "ӝ ж\u0308", "жа", "з", "и", "ӥ", "й", "к", "ќ"}},
		{`{"locale":"mk"}`, []string{"г", "д", "дя", "ѓ", "е", "к", "т", "тя", "ќ", "у"}},
		{`{"locale":"uk"}`, []string{"е", "ё", "і", "ї", "й", "к"}},
		{`{"locale":"da","caseFirst":"off"}`, []string{"e", "ę", "ez", "f", "æ"}},
		{`{"locale":"fi","strength":1}`, []string{"d đ D Đ", "n ŋ", "t ŧ", "u", "y ü", "z"}},
		{`{"locale":"en"}`, []string{"1 ١ १ ๑", "1a", "2"}},
		{`{"locale":"hr"}`, []string{"c", "č", "ć", "d", "dž", "đ", "z", "ж", "α"}},
		// Strengths.
		{`{"locale":"en","strength":1}`, []string{"a A ä Ä ａ", "b B"}},
		{`{"locale":"en","strength":2}`, []string{"a A ａ", "ä Ä", "b B"}},
		{`{"locale":"en","strength":3}`, []string{"a", "ａ", "A", "ä", "Ä"}},
		{`{"locale":"en","strength":3,"alternate":"shifted"}`, []string{"ab a-b a~b -ab-", "aB a-B"}},
		{`{"locale":"en","strength":4,"alternate":"shifted"}`, []string{"a~b", "a-b", "ab", "a-B"}},
		{`{"locale":"en","strength":1,"alternate":"shifted"}`, []string{"$", "ab a-b A~B"}},
		{`{"locale":"th"}`, []string{"ab a-b", "aB"}},
		{`{"locale":"th","alternate":"non-ignorable"}`, []string{"a-b", "ab"}},
		{`{"locale":"en","strength":4}`, []string{"a a\u0001", "A"}},
		{`{"locale":"en","strength":5}`, []string{"a", "a\u0001", "A", "ä a\u0308"}},
		{`{"locale":"en","strength":5,"alternate":"shifted"}`, []string{"a~b", "a-b", "ab", "ab\u0001"}},
		// Numbers.
		{`{"locale":"en"}`, []string{"a10", "a2"}},
		{`{"locale":"en","numericOrdering":true}`, []string{"0 00 000", "0a", "1 01 １ ١", "1a", "2", "10 0010", "99", "a2", "a10", "a10b", "v0.9", "v1.0", "v1.10"}},
		{`{"locale":"en","numericOrdering":true}`, []string{"x" + strings.Repeat("9", 254), "x1" + strings.Repeat("0", 254), "x1" + strings.Repeat("0", 255)}},
		{`{"locale":"de","numericOrdering":true,"strength":2}`, []string{"Ärger2 ärger02", "Ärger10", "Ärger10a", "Ärger11"}},
	} {
		c := testCollation(t, test.collation)
		var texts []string
		var places []int
		for place, equal := range test.order {
			for _, s := range strings.Split(equal, " ") {
				texts, places = append(texts, strings.ReplaceAll(s, "~", " ")), append(places, place)
			}
		}
		for i, a := range texts {
			for j, b := range texts {
				if got, want := c.compareStrings([]byte(a), []byte(b)), cmp.Compare(places[i], places[j]); got != want {
					t.Errorf("%s: %q to %q is %d, want %d", test.collation, a, b, got, want)
				}
			}
		}
	}
}

func TestCollationErrors(t *testing.T) {
	for _, test := range []struct{ collation, path, detail string }{
		{`5`, "", "an object is needed"},
		{`{}`, "", "no locale"},
		{`{"strength":2}`, "", "no locale"},
		{`{"locale":5}`, "/locale", "string"},
		{`{"locale":"enn"}`, "/locale", "did you mean en?"},
		{`{"locale":"de_DE"}`, "/locale", "known ones are simple, af"},
		{`{"locale":"fr-CA"}`, "/locale", "did you mean fr_CA?"},
		{`{"locale":"ja"}`, "/locale", "no collation"},
		{`{"locale":"ta"}`, "/locale", "no collation"}, // whose tables are damaged
		{`{"locale":"simple","strength":1}`, "", "alone"},
		{`{"locale":"en","strenght":1}`, "/strenght", "did you mean strength?"},
		{`{"locale":"en","strength":0}`, "/strength", "from 1"},
		{`{"locale":"en","strength":6}`, "/strength", "to 5"},
		{`{"locale":"en","strength":1.5}`, "/strength", "whole"},
		{`{"locale":"en","strength":"2"}`, "/strength", "whole"},
		{`{"locale":"en","caseLevel":true}`, "/caseLevel", "strength 3"},
		{`{"locale":"en","caseLevel":1}`, "/caseLevel", "true or false"},
		{`{"locale":"en","caseFirst":"upper"}`, "/caseFirst", `"off"`},
		{`{"locale":"en","caseFirst":"lower"}`, "/caseFirst", `"off"`},
		{`{"locale":"en","caseFirst":"none"}`, "/caseFirst", "off or lower or upper"},
		{`{"locale":"da"}`, "/caseFirst", `"caseFirst":"off"`},
		{`{"locale":"en","numericOrdering":1}`, "/numericOrdering", "true or false"},
		{`{"locale":"en","backwards":"yes"}`, "/backwards", "true or false"},
		{`{"locale":"en","normalization":null}`, "/normalization", "true or false"},
		{`{"locale":"en","alternate":"blanked"}`, "/alternate", "non-ignorable or shifted"},
		{`{"locale":"en","maxVariable":"space"}`, "/maxVariable", "punct"},
		{`{"locale":"en","maxVariable":"symbol"}`, "/maxVariable", "punct or space"},
		{`{"locale":"en","version":"57.1"}`, "/version", collationTables},
		{`{"locale":"` + strings.Repeat("x", 70<<10) + `"}`, "", "MaxQueryBytes"},
	} {
		_, err := Compile(QuerySpec{Collation: []byte(test.collation)}, Limits{})
		var bad *Error
		if !errors.As(err, &bad) {
			t.Errorf("%.60s: got %v", test.collation, err)
			continue
		}
		if bad.Path != "/collation"+test.path || !strings.Contains(bad.Detail, test.detail) {
			t.Errorf("%.60s: got %s at %q: %s", test.collation, bad.Code, bad.Path, bad.Detail)
		}
	}
}

func TestCollationNormalForm(t *testing.T) {
	for _, same := range [][]string{
		{`{"locale":"en","version":"` + collationTables + `"}`, `{"locale":"en"}`, `{"locale":"en","strength":3}`, `{"strength":3.0,"locale":"en","caseLevel":false,"caseFirst":"off",
			"numericOrdering":false,"alternate":"non-ignorable","maxVariable":"punct","normalization":true,"backwards":false}`, `{"locale":"en","strength":4}`},
		{`{"locale":"en","strength":1,"version":"` + collationTables + `"}`, `{"locale":"en","strength":1,"backwards":true}`},
		{`{"locale":"en","strength":2,"numericOrdering":true,"alternate":"shifted","backwards":true,"version":"` + collationTables + `"}`},
		{`{"locale":"en","strength":4,"alternate":"shifted","version":"` + collationTables + `"}`},
		{`{"locale":"th","version":"` + collationTables + `"}`, `{"locale":"th","alternate":"shifted"}`},
		{`{"locale":"fr_CA","version":"` + collationTables + `"}`, `{"locale":"fr_CA","backwards":true}`},
		{`{"locale":"da","version":"` + collationTables + `","caseFirst":"off"}`, `{"locale":"da","caseFirst":"off"}`},
	} {
		first := testCollation(t, same[0])
		if want := strings.Replace(same[0], `,"caseFirst":"off"`, "", 1); first.text != want {
			t.Errorf("%s has the normal form %s", same[0], first.text)
		}
		for _, text := range same[1:] {
			if c := testCollation(t, text); c != first {
				t.Errorf("%s is another collation than %s: %s", text, same[0], c.text)
			}
		}
	}
	for _, none := range []string{`{"locale":"simple"}`, `null`} {
		if q := compile(t, QuerySpec{Collation: []byte(none)}); q.Normal() != compile(t, QuerySpec{}).Normal() {
			t.Errorf("%s: %s", none, q.Normal())
		}
	}
	keys := map[string]string{}
	for _, collation := range []string{``, `{"locale":"en"}`, `{"locale":"en","strength":2}`, `{"locale":"de"}`} {
		spec := QuerySpec{Filter: []byte(`{"a":"x"}`)}
		if collation != "" {
			spec.Collation = []byte(collation)
		}
		key := compile(t, spec).Key(1)
		if other, taken := keys[key]; taken {
			t.Errorf("%q and %q have one query key", collation, other)
		}
		keys[key] = collation
	}
	in := func(list string) string {
		return compile(t, QuerySpec{Filter: []byte(`{"a":{"$in":` + list + `}}`), Collation: []byte(`{"locale":"en","strength":2}`)}).Normal()
	}
	if in(`["b","a","A","B"]`) != in(`["A","B"]`) {
		t.Errorf("values that are equal under the collation are not brought together: %s", in(`["b","a","A","B"]`))
	}
}

// collationCases are filters under a collation.
var collationCases = []struct {
	collation string
	filterTest
}{
	{`{"locale":"en","strength":1}`, filterTest{`{"a":"cafe"}`, []string{`{"a":"Café"}`, `{"a":["x","CAFÉ"]}`}, []string{`{"a":"caff"}`, `{"a":1}`, `{}`, `{"a":null}`, `{"a":[["cafe"]]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":"cafe"}`, []string{`{"a":"CAFE"}`}, []string{`{"a":"café"}`}}},
	{`{"locale":"en"}`, filterTest{`{"a":"é"}`, []string{`{"a":"e\u0301"}`}, []string{`{"a":"É"}`, `{"a":"e"}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$ne":"x"}}`, []string{`{"a":"y"}`, `{}`}, []string{`{"a":"X"}`, `{"a":["y","X"]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$not":{"$eq":"x"}}}`, []string{`{"a":"y"}`}, []string{`{"a":"X"}`}}},
	{`{"locale":"en"}`, filterTest{`{"a":{"$gt":"b"}}`, []string{`{"a":"B"}`, `{"a":"c"}`, `{"a":"C"}`}, []string{`{"a":"A"}`, `{"a":"ä"}`, `{"a":5}`, `{"a":["a"]}`, `{"a":{}}`, `{}`}}},
	{`{"locale":"sv"}`, filterTest{`{"a":{"$gt":"z"}}`, []string{`{"a":"ä"}`, `{"a":"Å"}`}, []string{`{"a":"a"}`, `{"a":"z"}`}}},
	{`{"locale":"de"}`, filterTest{`{"a":{"$gte":"a","$lt":"b"}}`, []string{`{"a":"ä"}`, `{"a":"Äz"}`, `{"a":"A"}`}, []string{`{"a":"b"}`, `{"a":1}`}}},
	{`{"locale":"en","numericOrdering":true}`, filterTest{`{"a":{"$lt":"a10"}}`, []string{`{"a":"a2"}`, `{"a":"a09"}`}, []string{`{"a":"a10"}`, `{"a":"a0010"}`, `{"a":"a11"}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$lte":"x"}}`, []string{`{"a":"X"}`}, []string{`{"a":"y"}`, `{"a":null}`, `{"a":1}`}}},
	// Values of mixed types: only the strings know of the collation.
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$in":["x",5,null]}}`, []string{`{"a":"X"}`, `{"a":5.0}`, `{"a":null}`, `{}`, `{"a":[7,"X"]}`}, []string{`{"a":"5"}`, `{"a":"y"}`, `{"a":true}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$in":["x","Y"]}}`, []string{`{"a":"X"}`, `{"a":"y"}`}, []string{`{}`, `{"a":null}`, `{"a":"z"}`, `{"a":1}`, `{"a":[]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$nin":["x",{"b":"Y"}]}}`, []string{`{"a":"z"}`, `{}`}, []string{`{"a":"X"}`, `{"a":{"b":"y"}}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$in":["q",{"$regularExpression":{"pattern":"^x","options":""}}]}}`, []string{`{"a":"Q"}`, `{"a":"xy"}`}, []string{`{"a":"XY"}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$all":["x","y"]}}`, []string{`{"a":["Y","X"]}`}, []string{`{"a":["X"]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$elemMatch":{"$gte":"m","$lt":"n"}}}`, []string{`{"a":["Mo"]}`}, []string{`{"a":["N","l"]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$elemMatch":{"b":"x"}}}`, []string{`{"a":[{"b":"X"}]}`}, []string{`{"a":[{"b":"y"}]}`}}},
	// Whole objects and arrays: strings in them, but not the names.
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"b":"x","c":["Y",1]}}`, []string{`{"a":{"b":"X","c":["y",1.0]}}`}, []string{`{"a":{"B":"x","c":["Y",1]}}`, `{"a":{"b":"x","c":["Y"]}}`, `{"a":{"c":["Y",1],"b":"x"}}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":["x","y"]}`, []string{`{"a":["X","Y"]}`, `{"a":[["X","y"]]}`}, []string{`{"a":["y","x"]}`, `{"a":"x"}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"a":{"$gt":["m"]}}`, []string{`{"a":["N"]}`, `{"a":["M",1]}`}, []string{`{"a":["M"]}`, `{"a":"n"}`}}},
	// What is not a comparison of values.
	{`{"locale":"en","strength":1}`, filterTest{`{"a":{"$regex":"^x"}}`, []string{`{"a":"xy"}`}, []string{`{"a":"Xy"}`}}},
	{`{"locale":"en","strength":1}`, filterTest{`{"A":"x"}`, []string{`{"A":"X"}`}, []string{`{"a":"x"}`}}},
	{`{"locale":"en","strength":1}`, filterTest{`{"$jsonSchema":{"properties":{"a":{"enum":["x"]}}}}`, []string{`{"a":"x"}`}, []string{`{"a":"X"}`}}},
	{`{"locale":"en","strength":1}`, filterTest{`{"a":{"$type":"string"}}`, []string{`{"a":"x"}`}, []string{`{"a":1}`}}},
	// _id is a string like others.
	{`{"locale":"en","strength":1}`, filterTest{`{"_id":"p1"}`, []string{`{"_id":"P1"}`, `{"_id":"p1"}`}, []string{`{"_id":"p2"}`}}},
	{`{"locale":"en","strength":1}`, filterTest{`{"_id":{"$in":["p1","p2"]}}`, []string{`{"_id":"P1"}`}, []string{`{"_id":"p3"}`}}},
	// $expr.
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$eq":["$a","$b"]}}`, []string{`{"a":"x","b":"X"}`, `{}`, `{"a":["x"],"b":["X"]}`}, []string{`{"a":"x","b":"y"}`, `{"a":null}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$eq":["$a","x"]}}`, []string{`{"a":"X"}`}, []string{`{"a":"y"}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$eq":["a","A"]}}`, []string{`{}`}, nil}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$lt":["$a","b"]}}`, []string{`{"a":"A"}`, `{"a":"ä"}`, `{"a":1}`}, []string{`{"a":"B"}`, `{"a":"c"}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$eq":[{"$cmp":["$a","x"]},0]}}`, []string{`{"a":"X"}`}, []string{`{"a":"Y"}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$in":["$a",["x","y"]]}}`, []string{`{"a":"Y"}`}, []string{`{"a":"z"}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$eq":[{"$indexOfArray":["$a","y"]},1]}}`, []string{`{"a":["x","Y"]}`}, []string{`{"a":["y"]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$setEquals":["$a",["x","y"]]}}`, []string{`{"a":["Y","X","x"]}`}, []string{`{"a":["x"]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$setIsSubset":["$a",["x","y"]]}}`, []string{`{"a":["Y"]}`}, []string{`{"a":["z"]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$eq":[{"$size":{"$setUnion":["$a",["x"]]}},1]}}`, []string{`{"a":["X"]}`}, []string{`{"a":["y"]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$eq":[{"$size":{"$setDifference":["$a",["x"]]}},0]}}`, []string{`{"a":["X","x"]}`}, []string{`{"a":["y"]}`}}},
	{`{"locale":"en","strength":2}`, filterTest{`{"$expr":{"$eq":[{"$size":{"$setIntersection":["$a",["x"]]}},1]}}`, []string{`{"a":["X","x"]}`}, []string{`{"a":["y"]}`}}},
	{`{"locale":"en"}`, filterTest{`{"$expr":{"$eq":[{"$max":"$a"},"B"]}}`, []string{`{"a":["B","a"]}`, `{"a":["b","B"]}`}, []string{`{"a":["B","c"]}`}}},
	{`{"locale":"en","strength":1}`, filterTest{`{"$expr":{"$eq":[{"$indexOfCP":["$a","x"]},0]}}`, []string{`{"a":"x"}`}, []string{`{"a":"X"}`}}},
}

func TestCollationFilters(t *testing.T) {
	for _, test := range collationCases {
		q := compile(t, QuerySpec{Filter: []byte(test.filter), Collation: []byte(test.collation)})
		check := func(texts []string, want bool) {
			for _, text := range texts {
				if !strings.Contains(text, `"_id"`) {
					text = strings.Replace(`{"_id":"d",`+text[1:], ",}", "}", 1)
				}
				if q.Match(testDocument(t, text)) != want {
					t.Errorf("%s under %s: %s: match is %v", test.filter, test.collation, text, !want)
				}
			}
		}
		check(test.matches, true)
		check(test.not, false)
	}
}

func TestCollationProjection(t *testing.T) {
	spec := QuerySpec{Fields: []byte(`{"a":{"$elemMatch":{"$eq":"x"}}}`), Collation: []byte(`{"locale":"en","strength":2}`)}
	d := testDocument(t, `{"_id":"d","a":["y","X"]}`)
	if got := string(compile(t, spec).AppendDocument(nil, d)); got != `{"_id":"d","a":["X"]}` {
		t.Errorf("got %s", got)
	}
}

// TestCollationSort has documents in their order. Invariant 6.
func TestCollationSort(t *testing.T) {
	for _, test := range []struct {
		collation, sort string
		docs            []string
	}{
		{`{"locale":"de"}`, `{"a":1}`, []string{`{"_id":"9"}`, `{"_id":"1","a":5}`, `{"_id":"1","a":"a"}`, `{"_id":"2","a":"A"}`, `{"_id":"1","a":"ä"}`, `{"_id":"1","a":"b"}`, `{"_id":"1","a":{"b":"x"}}`, `{"_id":"0","a":{"b":"X"}}`, `{"_id":"1","a":true}`}},
		{`{"locale":"de"}`, `{"a":-1}`, []string{`{"_id":"1","a":"b"}`, `{"_id":"1","a":"ä"}`, `{"_id":"2","a":"A"}`, `{"_id":"1","a":"a"}`, `{"_id":"1","a":5}`}},
		// Equal under the collation: the bytes of the _id decide, however the id looks.
		{`{"locale":"de","strength":1}`, `{"a":1}`, []string{`{"_id":"B","a":"x"}`, `{"_id":"a","a":"X"}`, `{"_id":"ä","a":"x"}`}},
		{`{"locale":"de","strength":1}`, `{"a":-1}`, []string{`{"_id":"B","a":"x"}`, `{"_id":"a","a":"X"}`}},
		// A sort by _id: by the collation, then by bytes.
		{`{"locale":"de","strength":1}`, `{"_id":1}`, []string{`{"_id":"A"}`, `{"_id":"a"}`, `{"_id":"ä"}`, `{"_id":"B"}`, `{"_id":"b"}`}},
		{`{"locale":"de","strength":1}`, `{"_id":-1}`, []string{`{"_id":"b"}`, `{"_id":"B"}`, `{"_id":"a"}`, `{"_id":"A"}`}},
		// Arrays: the least element, or the greatest, under the collation.
		{`{"locale":"en"}`, `{"a":1}`, []string{`{"_id":"1","a":[]}`, `{"_id":"1","a":["Z","a"]}`, `{"_id":"1","a":"B"}`, `{"_id":"1","a":["C","d"]}`}},
		{`{"locale":"en"}`, `{"a":-1}`, []string{`{"_id":"1","a":["Z","a"]}`, `{"_id":"1","a":["C","d"]}`, `{"_id":"1","a":"B"}`}},
		{`{"locale":"en","strength":1}`, `{"a.b":1,"a.c":-1}`, []string{`{"_id":"1","a":[{"b":"x","c":"Q"},{"b":"Y"}]}`, `{"_id":"1","a":[{"b":"X","c":"p"}]}`, `{"_id":"1","a":{"b":"z"}}`}},
		{`{"locale":"en","numericOrdering":true}`, `{"a":1}`, []string{`{"_id":"1","a":"a2"}`, `{"_id":"1","a":"a10"}`, `{"_id":"2","a":"a010"}`, `{"_id":"1","a":"a10b"}`}},
	} {
		q := compile(t, QuerySpec{Sort: []byte(test.sort), Collation: []byte(test.collation)})
		var last []byte
		for i, text := range test.docs {
			key := q.AppendSortKey(nil, testDocument(t, text))
			if i > 0 && bytes.Compare(last, key) >= 0 {
				t.Errorf("%s, %s: %s does not come behind %s", test.collation, test.sort, text, test.docs[i-1])
			}
			last = key
		}
	}
}

func TestCollationAndIDs(t *testing.T) {
	collation := []byte(`{"locale":"en","strength":1}`)
	for _, test := range []struct {
		filter, sort string
		pinned, byID bool
	}{
		{`{"_id":"a"}`, ``, false, true},
		{`{"_id":{"$in":["a","b"]}}`, `{"_id":1}`, false, false},
		{`{"$alwaysFalse":1}`, `{"_id":-1}`, true, false},
		{`{}`, `{"a":1}`, false, false},
	} {
		spec := QuerySpec{Filter: []byte(test.filter), Collation: collation}
		if test.sort != "" {
			spec.Sort = []byte(test.sort)
		}
		q := compile(t, spec)
		if _, pinned := q.IDs(); pinned != test.pinned || q.ByID() != test.byID {
			t.Errorf("%s %s: pinned is %v, by id is %v", test.filter, test.sort, pinned, q.ByID())
		}
	}
	q := compile(t, QuerySpec{Sort: []byte(`{"_id":1}`), Collation: collation})
	if got := string(q.Explain().Sort); got != `[["_id",1],["_id",1]]` {
		t.Errorf("the sort is %s", got)
	}
	if got := string(q.Explain().Collation); got != `{"locale":"en","strength":1,"version":"`+collationTables+`"}` {
		t.Errorf("the collation is %s", got)
	}
}

// TestCollationsAreApart installs queries with one filter and several collations in an engine.
func TestCollationsAreApart(t *testing.T) {
	e := NewEngine()
	install := func(collation string) Ordinal {
		spec := QuerySpec{Filter: []byte(`{"a":"x"}`)}
		if collation != "" {
			spec.Collation = []byte(collation)
		}
		return e.Install(1, compile(t, spec))
	}
	plain, accents, letters := install(""), install(`{"locale":"en","strength":2}`), install(`{"locale":"en","strength":1}`)
	for text, want := range map[string][]Ordinal{`"x"`: {plain, accents, letters}, `"X"`: {accents, letters}, `"ẍ"`: {letters}, `"y"`: nil} {
		var got []Ordinal
		for _, hit := range e.Match(&Change{Collection: 1, ID: "d", After: testDocument(t, `{"_id":"d","a":`+text+`}`)}, nil) {
			got = append(got, hit.Query)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s is found by %v, want %v", text, got, want)
		}
	}
}

func TestCollationLocales(t *testing.T) {
	for name, rules := range collationLocales {
		if c := newCollation(collationOptions{locale: name, strength: 3, shifted: rules.shifted, backwards: rules.backwards}); c.text == "" {
			t.Errorf("%s has no normal form", name)
		}
		if !slices.ContainsFunc(collate.Supported(), func(t language.Tag) bool { return t.String() == rules.tables }) {
			t.Errorf("%s: the tables package does not know %q", name, rules.tables)
		}
	}
}

// TestCollationPage checks that the page on collations names each locale and each field.
func TestCollationPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "query-language", "collation.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range collationLocales {
		if !bytes.Contains(page, []byte("`"+name+"`")) {
			t.Errorf("the page does not name the locale %s", name)
		}
	}
	for name := range collationFields {
		if !bytes.Contains(page, []byte("| `"+name+"` |")) {
			t.Errorf("the page's table does not have the field %s", name)
		}
	}
}

func TestCollationAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	d := testDocument(t, `{"_id":"d","a":"Some text of a title","n":7,"u":"Füße im Süden, Ärger im Norden","o":{"x":["Some","Füße"]},"z":"北京市 Beijing","c":"Москва – Ёлка «Việt»","m":"Gro\u0308\u00dfe ờ٣","l":"`+strings.Repeat("lang länger ", 200)+`"}`)
	for _, collation := range []string{`{"locale":"de"}`, `{"locale":"en","strength":1,"numericOrdering":true}`, `{"locale":"cs","strength":5,"alternate":"shifted"}`, `{"locale":"ru","strength":2}`} {
		for _, filter := range []string{`{"a":"some other text"}`, `{"a":"SOME TEXT OF A TITLE"}`, `{"u":"Füsse"}`, `{"l":"lang"}`, `{"a":{"$gt":"m"},"u":{"$lt":"Ä"}}`, `{"u":{"$in":["a","Füße im Süden, Ärger im Norden","ü"]}}`,
			`{"n":{"$in":["a",7]}}`, `{"z":{"$gte":"上海"}}`, `{"c":{"$gte":"м"}}`, `{"o":{"x":["some","FÜSSE"]}}`, `{"$expr":{"$lt":["$a","$u"]}}`, `{"o.x":{"$in":[["a"],["Some","füße"]]}}`} {
			q := compile(t, QuerySpec{Filter: []byte(filter), Sort: []byte(`{"u":-1,"a":1}`), Collation: []byte(collation)})
			var key []byte
			if n := testing.AllocsPerRun(100, func() { q.Match(d); key = q.AppendSortKey(key[:0], d) }); n != 0 {
				t.Errorf("%s under %s allocates %v times", filter, collation, n)
			}
		}
	}
}

// TestCollatedMarksAllocateNothing is about strings with marks of their own, which the memo does not weigh.
func TestCollatedMarksAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	c := testCollation(t, `{"locale":"de"}`)
	a, b := []byte("Gro\u0308\u00dfe u\u0308ber Ờ٣"), []byte("GRO\u0308SSE ÜBER")
	if n := testing.AllocsPerRun(100, func() { c.compareStrings(a, b) }); n != 0 {
		t.Errorf("a comparison allocates %v times", n)
	}
}

// TestCollationIsConcurrent is for the race detector, and for answers that mix.
func TestCollationIsConcurrent(t *testing.T) {
	q := compile(t, QuerySpec{Filter: []byte(`{"a":{"$in":["Ärger","Öl"]}}`), Collation: []byte(`{"locale":"de","strength":1}`)})
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			hit, miss := testDocument(t, fmt.Sprintf(`{"_id":"%d","a":"ärger"}`, i)), testDocument(t, fmt.Sprintf(`{"_id":"%d","a":"Übel %d"}`, i, i))
			for range 500 {
				if !q.Match(hit) || q.Match(miss) {
					t.Error("wrong answer")
					return
				}
			}
		})
	}
	wait.Wait()
}
