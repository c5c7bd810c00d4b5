package header

import (
	"slices"
	"testing"
)

func TestChunks(t *testing.T) {
	head := make([]byte, 12)
	for _, c := range []struct {
		name   string
		chunks []byte
		want   []int // lengths
	}{
		{"none", nil, nil},
		{"one and padding", []byte{ChunkCookieEcho, 0, 0, 5, 1, 0, 0, 0, ChunkSACK, 0, 0, 4}, []int{5, 4}},
		{"cut", []byte{ChunkData, 3, 0, 40, 1, 2}, []int{6}},
		{"shorter than its head", []byte{ChunkData, 3, 0, 3, 1, 2, 3, 4}, nil},
	} {
		var got []int
		for chunk := range Chunks(append(slices.Clone(head), c.chunks...)) {
			got = append(got, len(chunk))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: chunks of %v, want %v", c.name, got, c.want)
		}
	}
	if ChunkAnswer(ChunkInit) != ChunkInitAck || ChunkAnswer(ChunkData) != 0 || ChunkAnswer(255) != 0 {
		t.Error("answers to chunks")
	}
}
