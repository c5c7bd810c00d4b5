package sim

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ovnreplay/sim/lflow"
)

// A code, a result or a bare word that the language gains needs a handler.
func TestEveryOperationHasAHandler(t *testing.T) {
	t.Parallel()
	for c := lflow.OpCode(1); c < lflow.OpCodes; c++ {
		if h := &handlers[c]; (h.stays == nil) == (h.moves == nil) {
			t.Errorf("operation %d: not exactly one handler", c)
		}
	}
	for r := lflow.ResultOp(1); r < lflow.ResultOps; r++ {
		if (resultHandlers[r] == nil) != (r == lflow.DNSLookup) {
			t.Errorf("result %d: no handler", r)
		}
	}
	for p := lflow.PlainOp(1); p < lflow.PlainOps; p++ {
		if plainHandlers[p] == nil {
			t.Errorf("bare word %d: no handler", p)
		}
	}
}

// No text is looked at where every packet passes: only what compiles, answers
// for ovn-controller or saved states has to do with strings.
func TestPacketPathKnowsNoText(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"answers.go": "an error's text",
		"chassis.go": "reads the database",
		"compile.go": "compiles",
		"dns.go":     "names are text in DNS",
		"leftout.go": "says what does not compile",
		"options.go": "encodes DHCP options",
		"portsec.go": "compiles",
		"saved.go":   "errors",
		"tunnel.go":  "errors",
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || allowed[name] != "" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			switch path, _ := strconv.Unquote(i.Path.Value); path {
			case "fmt", "strings", "strconv", "regexp", "encoding/json":
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
