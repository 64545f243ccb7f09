package sync

import "testing"

// TestBufferFor: a buffer holds its body, wastes less than a quarter of it, and finds its pool again by its own size.
func TestBufferFor(t *testing.T) {
	last := -1
	for size := int64(0); size <= spoolOver; size += 1 + size/97 {
		room, pool := bufferFor(size)
		again, same := bufferFor(room)
		if room < size || size > leastBuffer && room*4 > size*5 || again != room || same != pool || pool < last {
			t.Fatalf("%d bytes: a buffer of %d in pool %d, by its own size %d in pool %d", size, room, pool, again, same)
		}
		last = pool
	}
}
