package matcher

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// TestRefusedExpressionsSayWhy: every operator and variable that is left out on purpose says the reason and a remedy, and
// none of them is there as well.
func TestRefusedExpressionsSayWhy(t *testing.T) {
	check := func(expr, code, reason string) {
		_, err := Compile(QuerySpec{Filter: fmt.Appendf(nil, `{"$expr":%s}`, expr)}, Limits{})
		var bad *Error
		if !errors.As(err, &bad) || bad.Code != code || !strings.Contains(bad.Detail, reason) || !strings.Contains(reason, "; ") {
			t.Errorf("%s: got %v", expr, err)
		}
	}
	all := maps.Clone(refusedOperators)
	maps.Copy(all, refusedExpressions)
	for name, reason := range all {
		check(fmt.Sprintf(`{%q:1}`, name), CodeOperatorUnknown, reason)
		if exprOperators[name] != nil || exprForms[name] != nil {
			t.Errorf("%s is both there and refused", name)
		}
	}
	for name, reason := range refusedVariables {
		check(fmt.Sprintf(`{"$eq":["$a","$$%s"]}`, name), CodeQueryInvalid, reason)
	}
}
