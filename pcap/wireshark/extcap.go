package wireshark

// Interfaces is what Wireshark is answered about the interface "OVN replay" (doc/extcap.adoc of
// Wireshark).
const Interfaces = `extcap {version=1.0}{display=OVN replay}
interface {value=ovn-replay}{display=OVN replay}
`

// LinkTypes are what it captures.
const LinkTypes = "dlt {number=1}{name=EN10MB}{display=Ethernet}\n"

// Settings are what it asks the user for, in flags of the program.
const Settings = `arg {number=0}{call=--db}{display=Southbound database}` +
	`{tooltip=A file, directory or tar, or unix:, tcp: or ssl: of a server}` +
	`{type=string}{required=false}{group=Network}
arg {number=1}{call=--captures}{display=Captures}` +
	`{tooltip=FILE[@PORT[@CHASSIS]] separated by blanks, as for ovn-replay run -r}` +
	`{type=string}{required=false}{group=Network}
arg {number=2}{call=--case}{display=Or a recorded case}` +
	`{tooltip=Its folder: all inputs at once}{type=string}{required=false}{group=Case}
`
