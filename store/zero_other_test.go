//go:build !linux

package store

import "errors"

func makeZero(string) error { return errors.ErrUnsupported }
