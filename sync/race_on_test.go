//go:build race

package sync_test

// raced: the race detector makes each pass several times as slow, so that the tests take samples of what the long ones go
// through one by one.
const raced = true
