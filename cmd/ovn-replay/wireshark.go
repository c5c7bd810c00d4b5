package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/flags"
	"ovnreplay/pcap/wireshark"
	"ovnreplay/sim/printable"
	"ovnreplay/store/output"
)

func newWiresharkCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wireshark",
		Short: "Make Wireshark and tshark show what a replay says",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWiresharkInstallCommand(stdout, stderr), newExtcapCommand(stdin, stdout, stderr))
	return cmd
}

func newWiresharkInstallCommand(stdout, stderr io.Writer) *cobra.Command {
	var given wireshark.Folders
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install the plugin, the profile OVN, and the interface \"OVN replay\"",
		Long: `install writes, for the user who runs it, a plugin that makes fields of the comments
of captures that "run -w" and "verify -w" write (ovn.verdict, ovn.inport, ovn.nat,
ovn.conn, …), a profile OVN with columns, colours and filter buttons for them, and
the interface "OVN replay", which replays captures where Wireshark captures.
Wireshark and tshark 4.0 or later.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folders, err := given.Completed()
			if err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return err
			}
			written, err := folders.Install(program, func(name string, text []byte, mode fs.FileMode) error {
				return output.Of(cmd.Context()).Put("--plugins", name, text, mode)
			})
			for _, name := range written {
				printable.Fprintf(stdout, "%s\n", name)
			}
			if len(written) > 0 && os.Geteuid() == 0 {
				fmt.Fprintln(stderr, "ovn-replay: newer Wiresharks (4.6, for one) run no plugins as root: there, use "+
					"another user")
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&given.Plugins, "plugins", "", "`DIR` for Lua plugins (default: as tshark -G folders says)")
	f.StringVar(&given.Configuration, "configuration", "", "`DIR` of the configuration, which holds profiles")
	f.StringVar(&given.Extcap, "extcap", "", "`DIR` for programs that capture")
	return cmd
}

// extcapOptions are what Wireshark calls a program with that is one of its
// interfaces (doc/extcap.adoc of Wireshark).
type extcapOptions struct {
	run        runOptions
	interfaces bool
	dlts       bool
	config     bool
	capture    bool
	captures   string
	fifo       string
}

func newExtcapCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &extcapOptions{run: runOptions{input: newInput(stdin, stderr), stdout: stdout, format: "none"}}
	cmd := &cobra.Command{
		Use:    "extcap",
		Short:  "What Wireshark calls",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return o.answer(cmd, stdout) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.interfaces, "extcap-interfaces", false, "list the interfaces")
	f.BoolVar(&o.dlts, "extcap-dlts", false, "list an interface's link types")
	f.BoolVar(&o.config, "extcap-config", false, "list an interface's settings")
	f.BoolVar(&o.capture, "capture", false, "capture")
	f.String("extcap-interface", "", "the interface")
	f.String("extcap-version", "", "Wireshark's version")
	f.StringVar(&o.run.Selects, "extcap-capture-filter", "", "the capture filter")
	f.StringVar(&o.fifo, "fifo", "", "where the capture is written")
	flags.Databases(f, &o.run.DBs, "Southbound database")
	f.StringVar(&o.run.Case, "case", "", "recorded case")
	f.StringVar(&o.captures, "captures", "", "captures, separated by blanks")
	return cmd
}

func (o *extcapOptions) answer(cmd *cobra.Command, stdout io.Writer) (err error) {
	switch {
	case o.interfaces:
		_, err = io.WriteString(stdout, wireshark.Interfaces)
	case o.dlts:
		_, err = io.WriteString(stdout, wireshark.LinkTypes)
	case o.config:
		_, err = io.WriteString(stdout, wireshark.Settings)
	case o.capture:
		if o.fifo == "" {
			return fmt.Errorf("extcap: --capture needs --fifo FILE, as Wireshark gives it")
		}
		o.run.Captures = strings.Fields(o.captures)
		o.run.Quiet = true // Wireshark takes what is told for errors
		if o.run.write, err = filepath.Abs(o.fifo); err == nil {
			err = o.run.run(cmd)
		}
	default:
		err = fmt.Errorf("extcap is what Wireshark calls: run \"ovn-replay wireshark install\", then choose the " +
			"interface OVN replay")
	}
	return err
}
