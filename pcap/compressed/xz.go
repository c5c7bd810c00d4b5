package compressed

import (
	"errors"
	"io"

	"github.com/therootcompany/xz"
)

// xzReader unpacks .xz. What can be unpacked of a file that is cut is, and then
// it ends with io.ErrUnexpectedEOF; one dictionary serves all blocks and streams.
type xzReader struct {
	in io.Reader
	z  *xz.Reader
}

var (
	errXZ           = errors.New("xz data is damaged")
	errXZKind       = errors.New("xz data uses a filter or an integrity check that is not known; repack it with xz")
	errXZDictionary = errors.New("xz data asks for a dictionary of more than 128 MiB; repack it with xz -9 or less")
)

// Read implements io.Reader.
func (x *xzReader) Read(p []byte) (n int, err error) {
	if x.z == nil { // which reads the first header
		if x.z, err = xz.NewReader(x.in, maxDictionary); err != nil {
			return 0, xzError(err)
		}
	}
	n, err = x.z.Read(p)
	return n, xzError(err)
}

func xzError(err error) error {
	switch err {
	case xz.ErrBuf:
		return io.ErrUnexpectedEOF
	case xz.ErrData, xz.ErrFormat:
		return errXZ
	case xz.ErrOptions, xz.ErrUnsupportedCheck:
		return errXZKind
	case xz.ErrMemlimit:
		return errXZDictionary
	}
	return err
}
