//go:build !unix

package store

import "errors"

func makeFifo(string) error { return errors.ErrUnsupported }
