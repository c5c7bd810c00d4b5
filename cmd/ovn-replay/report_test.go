package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ovnreplay/pcap"
)

// hostile is a name that must stay text.
const hostile = `</script><img id=injected src=x onerror="document.title='pwned'"><b>`

// reported writes the report of a case and returns its text.
func reported(t *testing.T, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if status, _, errs := replayed(t, append([]string{"report", "-o", file}, args...)...); status == exitBad {
		t.Fatalf("exit status %d: %s", status, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The page works in a browser as people use it: search, open a packet, follow
// its connection, print; without an error, and without a request.
func TestReportInBrowser(t *testing.T) {
	t.Parallel()
	chromium := needsTool(t, "chromium")
	page := reported(t, "--case", cases+"/nodeport", "--title", hostile)
	if strings.Contains(page, "<img") {
		t.Error("a title becomes markup")
	}
	if m := regexp.MustCompile(`(src|href)="?(https?:)?//`).FindString(page); m != "" {
		t.Errorf("the page loads %s", m)
	}
	// What a user does, and what is to be seen then.
	const user = `<pre id="seen"></pre><script>
window.addEventListener("error", e => seen.push("error: " + e.message));
document.addEventListener("securitypolicyviolation", e => seen.push("request: " + e.blockedURI));
const seen = [];
const ready = setInterval(() => {
  if (!document.body.dataset.ready) return;
  clearInterval(ready);
  const rows = () => document.querySelectorAll("#list .row").length;
  const type = text => { $("q").value = text; $("q").dispatchEvent(new Event("input")); };
  const press = key => $("list").dispatchEvent(new KeyboardEvent("keydown", { key }));
  seen.push("title " + document.title, "injected " + !!document.getElementById("injected"));
  seen.push("packets " + $("shown").textContent);
  type("dropped"); seen.push("dropped " + $("shown").textContent);
  type("47306 dnat"); seen.push("searched " + $("shown").textContent);
  press("ArrowDown"); press("ArrowDown"); press("Enter");
  seen.push("opened " + !$("detail").hidden, "marked " + (document.querySelectorAll("#detail mark").length > 0),
	"stages " + (document.querySelectorAll("#detail .stage").length > 20));
  document.querySelector("#detail button").click(); seen.push("followed " + $("shown").textContent);
  window.dispatchEvent(new Event("beforeprint")); seen.push("printed " + rows());
  seen.push("drawn " + document.querySelectorAll("svg g").length);
  document.querySelector("#causes tr.go").click(); seen.push("cause " + $("shown").textContent);
  const loaded = performance.getEntriesByType("resource").filter(e => !e.name.startsWith("data:"));
  seen.push("requests " + loaded.length);
  $("seen").textContent = JSON.stringify(seen);
}, 20);
</script>`
	seen := browsed(t, chromium, page, user)
	want := []string{"title " + hostile, "injected false", "packets 21 of 21", "dropped 1 of 21", "searched 10 of 21",
		"opened true", "marked true",
		"stages true", "followed 10 of connection 2 of 21", "printed 10", "drawn 8", "cause 1 of ls_in_apply_port_sec",
		"requests 0"}
	for i, w := range want {
		if i >= len(seen) || !strings.HasPrefix(seen[i], w) {
			t.Fatalf("seen %q, want %q", seen, want)
		}
	}
}

// The drawing has each chassis' own switches and routers, dashed lines for tunnels, and no box over
// another; rows of causes open with the keyboard.
func TestReportDrawsTunnels(t *testing.T) {
	t.Parallel()
	chromium := needsTool(t, "chromium")
	page := reported(t, "--case", cases+"/cloud-mixed-26.03")
	const user = `<pre id="seen"></pre><script>
const ready = setInterval(() => {
  if (!document.body.dataset.ready) return;
  clearInterval(ready);
  const seen = [], boxes = [...document.querySelectorAll("#net rect")].map(r => r.getBoundingClientRect());
  seen.push("tunnels " + (document.querySelectorAll('#net path[stroke-dasharray="6 4"]').length > 3));
  seen.push("chassis " + new Set([...document.querySelectorAll("#net g title")].map(x => x.textContent.match(/^r1 \((.*?)\)/)?.[1]).filter(Boolean)).size);
  seen.push("overlapping " + boxes.filter((a, i) => boxes.some((b, j) => i < j && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length);
  const cause = document.querySelector("#causes tr.go");
  cause.focus(); cause.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  seen.push("chosen " + (document.activeElement.id === "list" && $("shown").textContent.includes(" of ")));
  seen.push("fits " + (Math.abs($("list").clientHeight - rowHeight * found.length) < 10));
  $("seen").textContent = JSON.stringify(seen);
}, 20);
</script>`
	seen := strings.Join(browsed(t, chromium, page, user), ", ")
	if want := "tunnels true, chassis 3, overlapping 0, chosen true, fits true"; seen != want {
		t.Errorf("seen %s, want %s", seen, want)
	}
}

// A packet's copies come from where it was copied, and not from where the copy before went: of
// what is asked of all, none comes from the router that was asked.
func TestReportDrawsCopies(t *testing.T) {
	t.Parallel()
	chromium := needsTool(t, "chromium")
	page := reported(t, "--case", cases+"/cloud-arp-nd")
	const user = `<pre id="seen"></pre><script>
const ready = setInterval(() => {
  if (!document.body.dataset.ready) return;
  clearInterval(ready);
  const of = (a, b) => graph().edges.filter(e => e.a.name === a && e.b.name === b && D.chassis[e.a.chassis].n === "compute-1").map(e => e.n);
  $("seen").textContent = JSON.stringify(["to r1 " + of("net-a", "r1"), "from r1 " + of("r1", "net-a")]);
}, 20);
</script>`
	if seen := strings.Join(browsed(t, chromium, page, user), ", "); seen != "to r1 2, from r1 " {
		t.Errorf("seen %s", seen)
	}
}

// Packets whose predictions differ from what was observed are found by how, and their rows say
// it, not that all is well.
func TestReportMarksDifferences(t *testing.T) {
	t.Parallel()
	chromium := needsTool(t, "chromium")
	text, err := os.ReadFile(cases + "/nodeport/nginx.pcap")
	if err != nil {
		t.Fatal(err)
	}
	text[24+16+14+8]++ // the first packet's TTL
	pod := filepath.Join(t.TempDir(), "pod.pcap")
	if err := os.WriteFile(pod, text, 0o644); err != nil {
		t.Fatal(err)
	}
	page := reported(t, "--db", cases+"/nodeport/sb.db", "-r", cases+"/nodeport/client.pcap@breth0_ovn-worker", "-r",
		pod)
	const user = `<pre id="seen"></pre><script>
const ready = setInterval(() => {
  if (!document.body.dataset.ready) return;
  clearInterval(ready);
  const seen = [], row = () => document.querySelector("#list .row > :last-child");
  $("q").value = "mismatched"; $("q").dispatchEvent(new Event("input"));
  seen.push($("shown").textContent.split(" ")[0], row()?.className, row()?.textContent);
  open(0); seen.push(document.querySelector("#detail .bad")?.textContent);
  $("q").value = "delivered"; $("q").dispatchEvent(new Event("input"));
  seen.push(document.querySelectorAll("#list .row .bad").length, document.querySelectorAll("#list .row .ok").length > 3);
  $("seen").textContent = JSON.stringify(seen.map(String));
}, 20);
</script>`
	const pod1 = "default_nginx-deployment-9456bbbf9-x6pc6"
	want := []string{"1", "bad", "mismatched at " + pod1 + ": ip.ttl; delivered to " + pod1,
		"mismatched at " + pod1 + ": ip.ttl", "1", "true"}
	if seen := browsed(t, chromium, page, user); strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("seen %q, want %q", seen, want)
	}
}

// browsed opens a page with a script that does what a user does and writes what is
// seen then, a JSON list, into an element: that list.
func browsed(t *testing.T, chromium, page, user string) (seen []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(strings.Replace(page, "</body>", user+"</body>", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+
			t.TempDir(), "--virtual-time-budget=8000", "--enable-logging=stderr", "--dump-dom", "file://"+file)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	if strings.Contains(errs.String(), "CONSOLE") {
		t.Errorf("the console says something:\n%s", &errs)
	}
	m := regexp.MustCompile(`<pre id="seen">(.*?)</pre>`).FindSubmatch(dom)
	if m == nil {
		t.Fatalf("the page did not become ready: %.2000s", dom)
	}
	text := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(string(m[1]))
	if err := json.Unmarshal([]byte(text), &seen); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return seen
}

// A page of many packets draws those that are in view, however one gets there: by scrolling or by a key.
func TestReportOfManyPackets(t *testing.T) {
	t.Parallel()
	chromium := needsTool(t, "chromium")
	many := filepath.Join(t.TempDir(), "many.pcap")
	repeated(t, cases+"/nodeport/client.pcap", many, 1500)
	page := reported(t, "--db", cases+"/nodeport/sb.db", "-r", many+"@breth0_ovn-worker")
	const user = `<pre id="seen"></pre><script>
const ready = setInterval(() => {
  if (!document.body.dataset.ready) return;
  clearInterval(ready);
  const seen = [], list = $("list");
  const look = () => seen.push(document.querySelectorAll("#list .row").length + " " + document.querySelectorAll("#conns tr").length);
  look();
  for (const at of [0.5, 1]) { list.scrollTop = list.scrollHeight * at; list.dispatchEvent(new Event("scroll")); look(); }
  $("q").value = "tcp"; $("q").dispatchEvent(new Event("input")); look();
  seen.push($("shown").textContent);
  // where the list is, and whether the packets that are drawn are those there
  const there = () => {
    const box = list.getBoundingClientRect(), in_ = document.elementFromPoint(box.left + 200, box.top + 100)?.closest(".row");
    return Math.round(list.scrollTop) + " " + (in_ ? found.findIndex(i => in_.title.startsWith(T(D.packets[i].f) + ":" + D.packets[i].n + " ")) : -1);
  };
  list.scrollIntoView({ block: "start" });
  const press = key => list.dispatchEvent(new KeyboardEvent("keydown", { key }));
  list.scrollTop = 26000; draw(); draw(); seen.push(there());
  list.scrollBy(0, 2600); draw(); draw(); seen.push(there());
  press("End"); draw(); seen.push(at === found.length - 1 && list.querySelector(".on") ? "end" : "not the end");
  press("PageUp"); press("PageUp"); draw(); seen.push(list.querySelector(".on") && list.scrollTop > 100000 ? "page" : "no page");
  $("seen").textContent = JSON.stringify(seen);
}, 20);
</script>`
	seen := browsed(t, chromium, page, user)
	if len(seen) != 9 {
		t.Fatalf("seen %q", seen)
	}
	for i, w := range []string{"26000 1003", "28600 1103", "end", "page"} {
		if seen[5+i] != w {
			t.Errorf("scrolled: seen %q, want %q", seen[5+i], w)
		}
	}
	for _, s := range seen[:4] {
		var rows, conns int
		if _, err := fmt.Sscan(s, &rows, &conns); err != nil || rows == 0 || rows > 60 || conns > 201 {
			t.Errorf("%s rows are drawn", s)
		}
	}
	var found int
	if _, err := fmt.Sscan(seen[4], &found); err != nil || found < 10_000 {
		t.Errorf("found %s", seen[4])
	}
}

// 10,000 packets make a page of less than 5 MB.
func TestReportIsSmall(t *testing.T) {
	t.Parallel()
	many := filepath.Join(t.TempDir(), "many.pcap")
	repeated(t, cases+"/nodeport/client.pcap", many, 1000)
	page := reported(t, "--db", cases+"/nodeport/sb.db", "-r", many+"@breth0_ovn-worker")
	if !strings.Contains(page, "DecompressionStream") || len(page) > 5<<20 {
		t.Errorf("%d bytes", len(page))
	}
}

// repeated writes a capture several times over, a second apart, each time from
// another TCP port.
func repeated(t *testing.T, from, to string, times int) {
	t.Helper()
	r, err := pcap.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var frames []pcap.Record
	for {
		var rec, kept pcap.Record
		if r.Next(&rec) != nil {
			break
		}
		kept.CopyFrom(&rec)
		frames = append(frames, kept)
	}
	var out bytes.Buffer
	w, err := pcap.NewWriter(&out, pcap.Section{})
	if err != nil {
		t.Fatal(err)
	}
	w.AddInterface(pcap.InterfaceInfo{Name: "eth0", LinkType: pcap.LinkEthernet})
	for n := range times {
		for i := range frames {
			f := &frames[i]
			data := bytes.Clone(f.Data)
			if len(data) > 40 {
				data[34] ^= byte(n >> 8)
				data[35] ^= byte(n)
			}
			if err := w.WritePacket(&pcap.Packet{Time: f.Time + int64(n)*1e9, Data: data,
				OrigLen: f.OrigLen}); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Flush()
	if err := os.WriteFile(to, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// With everything open the page is as wide as a phone, and as paper: nothing scrolls it sideways, and
// on paper nothing is cut off. Times of day are told with their zone.
func TestReportFits(t *testing.T) {
	t.Parallel()
	chromium := needsTool(t, "chromium")
	text, err := os.ReadFile(cases + "/nodeport/nginx.pcap")
	if err != nil {
		t.Fatal(err)
	}
	text[24+16+14+8]++ // the first packet's TTL: what was observed is shown beside what was predicted
	pod := write(t, "pod.pcap", text)
	page := reported(t, "--db", cases+"/nodeport/sb.db", "-r", cases+"/nodeport/client.pcap@breth0_ovn-worker", "-r",
		pod)
	const user = `<script>
const ready = setInterval(() => {
  if (!document.body.dataset.ready) return;
  clearInterval(ready);
  open(0);
  document.querySelectorAll("details").forEach(d => d.open = true);
  const seen = [], of = [...document.querySelectorAll("body *")];
  const beyond = of.filter(e => e.getBoundingClientRect().right > innerWidth + 1 && (PAPER || !e.closest(".scroll, pre, #list")));
  if (PAPER) dispatchEvent(new Event("beforeprint"));
  const cut = PAPER ? [...document.querySelectorAll("pre, .row, .row > *, .scroll")].filter(e => e.scrollWidth > e.clientWidth + 1) : [];
  const named = l => l.map(e => e.tagName + " " + e.className + " " + e.textContent.slice(0, 30)).slice(0, 4).join("; ");
  seen.push("width " + document.documentElement.scrollWidth + " of " + innerWidth, "beyond " + named(beyond), "cut " + named(cut));
  seen.push(document.querySelectorAll("pre").length > 2 ? "hex" : "none", $("about").textContent, $("since").textContent, $("detail").textContent);
  parent.postMessage(JSON.stringify(seen), "*");
}, 20);
</script>`
	for _, x := range []struct {
		width        int
		paper, media string
	}{{390, "false", "print"}, {700, "true", "all"}} { // paper: what is for print is for all
		inner := strings.Replace(page, "@media print", "@media "+x.media, 1)
		inner = strings.Replace(inner, "</body>", strings.ReplaceAll(user, "PAPER", x.paper)+"</body>", 1)
		outer := fmt.Sprintf(`<html><body><iframe src="file://%s" style="width:%dpx;height:900px"></iframe></body>`,
			write(t, "inner.html", []byte(inner)), x.width)
		seen := browsed(t, chromium, outer, `<pre id="seen"></pre><script>
onmessage = e => document.getElementById("seen").textContent = e.data;</script>`)
		var width, room int
		fmt.Sscanf(seen[0], "width %d of %d", &width, &room)
		if width > room || room != x.width || seen[1] != "beyond " || seen[2] != "cut " || seen[3] != "hex" {
			t.Errorf("%d columns of pixels: %q", x.width, seen[:4])
		}
		for _, text := range seen[4:] {
			if !strings.Contains(text, "2026-11-22 10:00:35.545492 UTC") {
				t.Errorf("no time of day: %s", text)
			}
		}
	}
}
