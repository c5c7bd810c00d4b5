package lflow

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine bounds a line of input, in bytes.
const maxLine = 16 << 20

// Filter is what is made of a line of the language: the text, and what is wrong
// and where.
type Filter func(env *Env, line string) (string, []*Error)

// FilterLines writes what filter makes of each line and, with carets, where the
// errors are. Blank lines and comments are written as they are.
func FilterLines(in io.Reader, out io.Writer, env *Env, filter Filter, carets bool) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	w := bufio.NewWriter(out)
	n := 0
	for lines.Scan() {
		n++
		text, errs := lines.Text(), []*Error(nil)
		if strings.TrimSpace(text) != "" && text[0] != '#' {
			text, errs = filter(env, text)
		}
		if carets {
			for _, e := range errs {
				fmt.Fprintln(w, e.Caret())
			}
		}
		fmt.Fprintln(w, text)
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("longer than %d bytes; break it up", maxLine)
		}
		return errors.Join(w.Flush(), fmt.Errorf("standard input, line %d: %w", n+1, err))
	}
	return w.Flush()
}

// LexLine is a Filter: the tokens.
func LexLine(_ *Env, line string) (string, []*Error) {
	var b strings.Builder
	var errs []*Error
	for i, t := range Lex(line) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.String())
		if t.Type == TokenError {
			errs = append(errs, &Error{Src: line, Pos: t.Pos, End: t.End, Msg: t.Text})
		}
	}
	return b.String(), errs
}

// MatchLine is a Filter: the match in its canonical form.
func MatchLine(env *Env, line string) (string, []*Error) {
	e, err := ParseMatch(line, env)
	if err != nil {
		return failed(line, err)
	}
	return e.Text(), nil
}

// AnnotateLine is a Filter: the match with predicates and prerequisites made
// explicit.
func AnnotateLine(env *Env, line string) (string, []*Error) {
	e, err := ParseMatch(line, env)
	if err == nil {
		e, err = Annotate(e, env)
	}
	if err != nil {
		return failed(line, err)
	}
	return e.Text(), nil
}

// ActionsLine is a Filter: the actions in their canonical form.
func ActionsLine(env *Env, line string) (string, []*Error) {
	actions, _, err := ParseActions(line, env)
	if err != nil {
		return failed(line, err)
	}
	return FormatActions(actions, env), nil
}

// PrerequisitesLine is a Filter: ActionsLine with, after a tab, what the match must
// require.
func PrerequisitesLine(env *Env, line string) (string, []*Error) {
	actions, prereqs, err := ParseActions(line, env)
	if err != nil {
		return failed(line, err)
	}
	text := FormatActions(actions, env) + "\t"
	if prereqs != nil {
		text += prereqs.Text()
	}
	return text, nil
}

// failed returns an error's text and, if it has one in line, its place.
func failed(line string, err error) (string, []*Error) {
	var e *Error
	if errors.As(err, &e) && e.Src != "" {
		return err.Error(), []*Error{e}
	}
	return err.Error(), nil
}
