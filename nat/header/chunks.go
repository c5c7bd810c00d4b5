package header

import (
	"encoding/binary"
	"iter"
)

// Types of SCTP chunks (RFC 9260, section 3.2).
const (
	ChunkData             = 0
	ChunkInit             = 1
	ChunkInitAck          = 2
	ChunkSACK             = 3
	ChunkHeartbeat        = 4
	ChunkHeartbeatAck     = 5
	ChunkShutdown         = 7
	ChunkShutdownAck      = 8
	ChunkCookieEcho       = 10
	ChunkCookieAck        = 11
	ChunkShutdownComplete = 14
)

// ChunkReflects is the T bit of an ABORT's and a SHUTDOWN COMPLETE's flags: its sender has no tag
// of its own and reflects the other's (RFC 9260, section 3.3.7).
const ChunkReflects = 1

// chunkAnswers are the types by which an end answers a chunk of another.
var chunkAnswers = [...]uint8{
	ChunkInit: ChunkInitAck, ChunkInitAck: ChunkCookieEcho, ChunkCookieEcho: ChunkCookieAck,
	ChunkHeartbeat: ChunkHeartbeatAck, ChunkShutdown: ChunkShutdownAck, ChunkShutdownAck: ChunkShutdownComplete,
}

// ChunkAnswer is the type of the chunk that answers one of a type and no other; 0: there is none.
func ChunkAnswer(kind uint8) uint8 {
	if int(kind) >= len(chunkAnswers) {
		return 0
	}
	return chunkAnswers[kind]
}

// Chunks goes over the chunks of an SCTP packet that it holds whole, or to its end where that
// cuts the last; each begins with its type, flags and length.
func Chunks(sctp []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		const common, head, alignment = 12, 4, 4
		for at := common; at+head <= len(sctp); {
			length := int(binary.BigEndian.Uint16(sctp[at+2:]))
			if length < head || !yield(sctp[at:min(at+length, len(sctp))]) {
				return
			}
			at += (length + alignment - 1) &^ (alignment - 1)
		}
	}
}
