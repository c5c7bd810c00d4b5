package output

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Progress shows on a terminal how far the reading of packets is. The wall clock
// is for the display only.
type Progress struct {
	Packets int // so far
	read    func() (read, size int64)
	screen  *os.File // nil: nothing is shown
	begun   time.Time
	drawn   time.Time
	width   int
}

// NewProgress shows progress on w, if that is a terminal; read tells how many
// bytes of how many were read.
func NewProgress(w io.Writer, read func() (read, size int64)) *Progress {
	p := &Progress{read: read, screen: Terminal(w)}
	if p.screen != nil {
		p.begun = time.Now()
		p.drawn = p.begun
	}
	return p
}

// Step counts a packet and redraws now and then.
func (p *Progress) Step() {
	p.Packets++
	if p.screen == nil || p.Packets%1024 != 0 {
		return
	}
	now := time.Now()
	if now.Sub(p.drawn) < 200*time.Millisecond {
		return
	}
	p.drawn = now
	read, size := p.read()
	p.draw(bar(p.Packets, read, size, now.Sub(p.begun)))
}

func (p *Progress) draw(line string) {
	fmt.Fprintf(p.screen, "\r%-*s", p.width, line)
	p.width = max(p.width, len(line))
}

// Clear takes the line away.
func (p *Progress) Clear() {
	if p.screen != nil && p.width > 0 {
		fmt.Fprintf(p.screen, "\r%*s\r", p.width, "")
		p.width = 0
	}
}

// bar is the line of progress: of size bytes, 0 if that is not known, read
// have been taken in after a time.
func bar(packets int, read, size int64, after time.Duration) string {
	s := max(after.Seconds(), 0.001)
	rate := float64(read) / s
	line := fmt.Sprintf("%d packets, %.1f MB, %.1f MB/s, %.0f packets/s", packets, float64(read)/1e6, rate/1e6,
		float64(packets)/s)
	if size <= 0 || read > size {
		return line
	}
	const cells = 24
	done := int(cells * read / size)
	drawn := ""
	for i := range cells {
		if i < done {
			drawn += "#"
		} else {
			drawn += "."
		}
	}
	left := "?"
	if rate > 0 {
		left = time.Duration(float64(size-read) / rate * float64(time.Second)).Round(time.Second).String()
	}
	return fmt.Sprintf("[%s] %3d%% %s, %s left", drawn, 100*read/size, line, left)
}
