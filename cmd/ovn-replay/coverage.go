package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/sim/coverage"
	"ovnreplay/sim/job"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/show"
	"ovnreplay/sim/why"
)

// coverageOptions is "coverage": how many packets met what of the network.
type coverageOptions struct {
	asked
	stdout           io.Writer
	json             bool
	port             string
	untouched, flows bool
}

func newCoverageCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &coverageOptions{asked: asked{input: newInput(stdin, stderr)}, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "coverage --db SOURCE FILE[@PORT]… | --case DIR | --session FILE",
		Short: "Count the packets that met each ACL, load balancer backend, NAT row, route and flow",
		RunE: func(cmd *cobra.Command, captures []string) error {
			o.Captures = append(o.Captures, captures...)
			return o.run(cmd.Context())
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print one JSON object a row")
	f.StringVar(&o.port, "port", "", "the ACLs of this `PORT` alone, with the packets to and from "+
		"it, those that nothing met too")
	f.BoolVar(&o.untouched, "untouched", false, "list what no packet met, too")
	f.BoolVar(&o.flows, "flows", false, "list every logical flow, not only those that people asked for")
	return cmd
}

func (o *coverageOptions) run(ctx context.Context) error {
	list := coverage.Options{Untouched: o.untouched, Flows: o.flows}
	var c *coverage.Coverage
	damage := o.Each(ctx, o.session, func(x *why.Explainer, j *job.Job) (replay.Handler, error) {
		c = coverage.New(x)
		if o.port == "" {
			return c, nil
		}
		if j == nil {
			return nil, errors.New("--port needs the network: name the database and captures instead of --session")
		}
		var err error
		if c.Port, err = j.Net.FindPort(o.port); err != nil {
			return nil, fmt.Errorf("--port: %w", err)
		}
		list.Untouched = true
		return c, nil
	})
	if c == nil || o.port != "" && c.Port == nil {
		return damage
	}
	out := bufio.NewWriter(o.stdout)
	rows := c.Rows(list)
	if !o.json {
		out = bufio.NewWriter(show.Folding(o.stdout))
		return errors.Join(c.Write(out, rows), out.Flush(), damage)
	}
	return errors.Join(coverage.WriteJSON(out, rows), out.Flush(), damage)
}
