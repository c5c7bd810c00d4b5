package sim_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// packetPath is where a packet's way through a replay and the engine begins: what takes a
// packet, and what fills the tables of the operations' handlers.
var packetPath = []string{
	"(*ovnreplay/sim.Engine).Inject", "(*ovnreplay/sim.Engine).Refuse", "(*ovnreplay/sim.Engine).Arrive",
	"(*ovnreplay/sim.Engine).Advance", "ovnreplay/sim.init",
	"(*ovnreplay/sim/replay.Run).Add", "(*ovnreplay/sim/replay.Run).Flush",
}

// textDoors are the functions on the packet path behind which texts are looked at, and why.
var textDoors = map[string]string{
	"(*ovnreplay/sim.Engine).compiledFor":     "once a chassis",
	"ovnreplay/sim.newChassis":                "once a chassis",
	"(*ovnreplay/sim.hairpins).file":          "once a load balancer",
	"(*ovnreplay/sim.Engine).compileSecurity": "once a port",
	"ovnreplay/sim/table.NewStage":            "once a table",
	"(*ovnreplay/sim.Engine).tellBroken":      "once a table with flows that do not compile",
	"(*ovnreplay/sim.compiled).outline":       "once a flow",
	"(*ovnreplay/sim/table.Flow).make":        "once a flow",
	"ovnreplay/sim.encode":                    "once an operation: the options of DHCP and RA",
	"(*ovnreplay/sim.Engine).examine":         "once two flows that both match",
	"(*ovnreplay/sim.Engine).lookupDNS":       "a question of DNS is a text",
	"ovnreplay/sim/answer.parseDHCPv6":        "a client of DHCPv6 says by a text that it is iPXE",
	"ovnreplay/conntrack.ftpData":             "what FTP's control connection says is a text",

	// in a replay: the network changes seldom, and packets that meet it while it does are few
	"(*ovnreplay/sim/replay.Run).become": "once a change of the network",
	"(*ovnreplay/sim/replay.Run).tries":  "a packet that meets a change of the network",
	"(*ovnreplay/sim/replay.Run).check":  "a packet that meets a change of the network",

	// what a packet is said to be, or why it is left out, is written for people
	"interface.Entered":                         "a handler tells people, or files",
	"interface.Observed":                        "a handler tells people, or files",
	"interface.Skipped":                         "a handler tells people, or files",
	"(*ovnreplay/sim/replay.Run).began":         "an account of what was held while a replay paused",
	"(*ovnreplay/sim/replay.Tap).leaveOut":      "a frame that is placed nowhere, and why",
	"(*ovnreplay/sim/replay.Frame).isCut":       "a frame that is placed nowhere, and why",
	"(*ovnreplay/sim/replay.Tap).fault":         "once a capture: a frame that cannot be read",
	"(*ovnreplay/sim/replay.twins).again":       "a frame that is placed nowhere, and why",
	"(*ovnreplay/sim/replay.Run).placeInTunnel": "a frame that is no tunnel's, and why",

	// what a capture is called, and its interfaces
	"(*ovnreplay/sim/replay.Tap).siteByName": "once an interface of a capture",
	"(*ovnreplay/sim/replay.Tap).fileOf":     "which of a set's files a frame is of: the same text, mostly",
	"(*ovnreplay/sim/replay.Frame).spot":     "once a point and file of a capture",

	// a packet that no capture shows entering is sought, and it is said from which others it is known
	"(*ovnreplay/sim/replay.inferrer).remember":    "once a connection",
	"(*ovnreplay/sim/replay.inferrer).rememberWay": "once a connection",
	"(*ovnreplay/sim/replay.inferrer).fragment":    "a fragment, by which the rest of its datagram is known",
	"(*ovnreplay/sim/replay.Run).infer":            "a packet that nothing replayed leads to",
	"(*ovnreplay/sim/replay.Run).crossed":          "a packet in a tunnel that nothing replayed leads to",

	// what may have been otherwise is tried, so many times and no more
	"(*ovnreplay/sim/replay.Run).saved":   "the engine's state is put by before a trial",
	"(*ovnreplay/sim/replay.Run).restore": "the engine's state is put back after a trial",
	"ovnreplay/sim/replay.leavesAt":       "a trial's end is known by names: it may be on another network",
	"(*ovnreplay/sim/replay.Run).floods":  "an end that is kept by names",
	"(*ovnreplay/sim.Engine).Settled":     "once two flows that both match",
	"(*ovnreplay/sim.Engine).Prefer":      "once two flows that both match",

	// what the network says by texts is asked of few packets
	"(*ovnreplay/sim/network.Port).Unmapped":        "at localnet ports, while the network is followed",
	"(*ovnreplay/sim/replay.Owners).mayClaim":       "an Ethernet address of a virtual port: who its parents are",
	"(*ovnreplay/sim/replay.Owners).sharesUntagged": "a frame without a tag where others have one",
}

// TestPacketPathLooksAtNoText type-checks the program and goes through all that a packet may
// come to: nothing there compares texts, looks one up or takes one apart.
func TestPacketPathLooksAtNoText(t *testing.T) {
	t.Parallel()
	p := pathTexts{calls: map[string][]string{}, looks: map[string][]string{}}
	for _, g := range listPackages(t) {
		p.read(t, g)
	}
	found, met, doors := p.from(packetPath, textDoors)
	for _, f := range found {
		t.Error(f)
	}
	for door, why := range textDoors {
		if !doors[door] {
			t.Errorf("%s (%s) is not on the packet path, or looks at no text", door, why)
		}
	}
	if met < 500 {
		t.Errorf("the packet path is %d functions only: this test sees too little", met)
	}
}

// TestTextsAreSeen holds the finder against what it must find, and must not.
func TestTextsAreSeen(t *testing.T) {
	t.Parallel()
	src := `package bad
import ("slices"; "strings")
type named struct { name string; n int }
type asked interface{ asked() bool }
var handler = map[int]func(string) bool{1: split}
func path(a, b string, m map[string]int, s asked, x, y named) bool {
	if a == "" || len(b) > 3 || "" != b || string([]byte{1}) == string([]byte{2}) { return handler[1](a) }
	if a == b { return true }                            // line 8
	if m[a] > 0 { return true }                          // line 9
	switch a { case "x": return true }                   // line 10
	if x == y { return true }                            // line 11
	f := below
	return s.asked() || f([]string{a}) || door(a)
}
func below(list []string) bool { return slices.Contains(list, "a") } // line 15
func (n named) asked() bool { return n.name < "b" }      // line 16
func split(s string) bool { return strings.Contains(s, "a") } // line 17
func door(s string) bool { return s == "c" }
func away(s string) bool { return s == "c" }`
	list := listPackages(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.go"), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	p := pathTexts{calls: map[string][]string{}, looks: map[string][]string{}}
	p.read(t, &goPackage{ImportPath: "bad", Dir: dir, GoFiles: []string{"bad.go"}, imports: list[0].imports, root: dir})
	found, _, doors := p.from([]string{"bad.path"}, map[string]string{"bad.door": "", "bad.away": ""})
	var lines []string
	for _, f := range found {
		_, line, _ := strings.Cut(f, ":")
		line, _, _ = strings.Cut(line, ",")
		lines = append(lines, line)
	}
	slices.Sort(lines)
	if got := strings.Join(lines, " "); got != "10 11 15 16 17 8 9" {
		t.Errorf("found in lines %s: %v", got, found)
	}
	if len(doors) != 1 || !doors["bad.door"] {
		t.Errorf("doors: %v", doors)
	}
}

// pathTexts is, for each function by its full name, which others it mentions and where it
// looks at a text. What mentions a function is taken to call it, and who calls a method of an
// interface to call every method of its name.
type pathTexts struct {
	calls, looks map[string][]string
	methods      map[string][]string // by name
}

// from lists where what some functions lead to looks at texts, and by which way, but not
// behind doors; met is how many functions that is, and doors which were come to for texts' sake.
func (p *pathTexts) from(roots []string, closed map[string]string) (found []string, met int, doors map[string]bool) {
	doors = map[string]bool{}
	from := map[string]string{}
	for _, f := range roots {
		from[f] = ""
	}
	for queue := slices.Clone(roots); len(queue) > 0; queue = queue[1:] {
		f := queue[0]
		if _, ok := closed[f]; ok {
			inner, _, _ := p.from([]string{f}, nil)
			doors[f] = len(inner) > 0
			continue
		}
		for _, at := range p.looks[f] {
			way := f
			for g := from[f]; g != ""; g = from[g] {
				way = g + " > " + way
			}
			way = strings.ReplaceAll(way, "ovnreplay/", "")
			found = append(found, at+", a text is looked at on a packet's way: "+way)
		}
		for _, g := range p.calls[f] {
			next := []string{g}
			if name, ok := strings.CutPrefix(g, "interface."); ok {
				next = p.methods[name]
				if _, ok := closed[g]; ok {
					doors[g], next = true, nil
				}
			}
			for _, g := range next {
				if _, known := from[g]; !known {
					from[g] = f
					queue = append(queue, g)
				}
			}
		}
	}
	return found, len(from), doors
}

// read notes what the functions of a package mention and look at.
func (p *pathTexts) read(t *testing.T, g *goPackage) {
	_, files, info := g.check(t)
	if p.methods == nil {
		p.methods = map[string][]string{}
	}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := info.Defs[d.Name].(*types.Func).FullName()
				if d.Recv != nil {
					p.methods[d.Name.Name] = append(p.methods[d.Name.Name], name)
				}
				p.note(t, name, d, g)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok {
						p.note(t, variable(info.Defs[v.Names[0]]), v, g)
					}
				}
			}
		}
	}
}

// note notes what is within a function, or what variables begin as.
func (p *pathTexts) note(t *testing.T, name string, within ast.Node, g *goPackage) {
	set, _, info := g.check(t)
	ast.Inspect(within, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if called := mentioned(info, id); called != "" {
				p.calls[name] = append(p.calls[name], called)
			}
		}
		if looksAtText(info, n) && !strings.HasPrefix(name, "var ") {
			at := set.Position(n.Pos())
			file, err := filepath.Rel(g.root, at.Filename)
			if err != nil {
				t.Fatal(err)
			}
			p.looks[name] = append(p.looks[name], fmt.Sprintf("%s:%d", filepath.ToSlash(file), at.Line))
		}
		return true
	})
}

// variable names a variable or constant: what it begins as is made once, and looks at no packet.
func variable(v types.Object) string { return "var " + v.Pkg().Path() + "." + v.Name() }

// mentioned is the function that an identifier means: its full name, or for a method of one
// of this program's interfaces "interface." and its name; or a package's variable.
func mentioned(info *types.Info, id *ast.Ident) string {
	if v, ok := info.Uses[id].(*types.Var); ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
		return variable(v)
	}
	f, ok := info.Uses[id].(*types.Func)
	if !ok || f.Pkg() == nil {
		return ""
	}
	if recv := f.Signature().Recv(); recv != nil && types.IsInterface(recv.Type()) &&
		(strings.HasPrefix(f.Pkg().Path(), "ovnreplay/") || f.Pkg().Path() == "bad") {
		return "interface." + f.Name()
	}
	return f.Origin().FullName()
}

// looksAtText says whether a node of the syntax tree compares texts, joins them, looks one up
// in a map, or hands one to what takes texts apart. Whether there is a text at all may be asked.
func looksAtText(info *types.Info, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		switch n.Op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.ADD:
			return hasText(info.TypeOf(n.X)) && info.Types[n].Value == nil && !isEmpty(info, n.X) &&
				!isEmpty(info, n.Y) && !(isBytes(info, n.X) && isBytes(info, n.Y))
		}
	case *ast.SwitchStmt:
		return n.Tag != nil && hasText(info.TypeOf(n.Tag))
	case *ast.IndexExpr:
		m, ok := info.TypeOf(n.X).Underlying().(*types.Map)
		return ok && hasText(m.Key())
	case *ast.CallExpr:
		return takesText(info, n)
	}
	return false
}

// takesText says whether a call is of a library's function that takes texts apart, or finds them.
func takesText(info *types.Info, n *ast.CallExpr) bool {
	var id *ast.Ident
	switch f := n.Fun.(type) {
	case *ast.SelectorExpr:
		id = f.Sel
	case *ast.Ident:
		id = f
	default:
		return false
	}
	f, ok := info.Uses[id].(*types.Func)
	if !ok || f.Pkg() == nil {
		return false
	}
	switch f.Pkg().Path() {
	case "fmt":
		return f.Name() != "Errorf" // what is wrong with a packet may be said
	case "strings", "strconv", "regexp":
		return true
	case "slices", "cmp", "maps":
		return slices.ContainsFunc(n.Args, func(a ast.Expr) bool { return hasText(info.TypeOf(a)) })
	}
	return false
}

// isBytes says whether an expression is a conversion of bytes: compared with others they are no text.
func isBytes(info *types.Info, e ast.Expr) bool {
	c, ok := e.(*ast.CallExpr)
	if !ok || len(c.Args) != 1 || !info.Types[c.Fun].IsType() {
		return false
	}
	_, ok = info.TypeOf(c.Args[0]).Underlying().(*types.Slice)
	return ok
}

func isEmpty(info *types.Info, e ast.Expr) bool {
	v := info.Types[e].Value
	return v != nil && v.Kind() == constant.String && constant.StringVal(v) == ""
}

// hasText says whether values of a type are told apart by a text.
func hasText(t types.Type) bool {
	if t == nil {
		return false
	}
	switch t := t.Underlying().(type) {
	case *types.Basic:
		return t.Info()&types.IsString != 0
	case *types.Struct:
		for i := range t.NumFields() {
			if hasText(t.Field(i).Type()) {
				return true
			}
		}
	case *types.Array:
		return hasText(t.Elem())
	}
	return false
}
