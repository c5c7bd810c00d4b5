package output

import (
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"[######..................]  25% 1000 packets, 25.0 MB, 12.5 MB/s, 500 packets/s, 6s left": bar(1000,
			25e6, 100e6, 2*time.Second),
		"[........................]   0% 0 packets, 0.0 MB, 0.0 MB/s, 0 packets/s, ? left": bar(0, 0, 100,
			time.Second),
		"10 packets, 1.0 MB, 1.0 MB/s, 10 packets/s": bar(10, 1e6, 0,
			time.Second),
	} {
		if got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
