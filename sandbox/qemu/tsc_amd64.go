package qemu

import (
	"errors"
	"slices"
	"time"
)

// rdtsc reads the processor's time stamp counter.
func rdtsc() uint64

// MeasureTSC measures the frequency of the host's time stamp counter, in kHz,
// which takes 30 ms. Emulated guests see that counter as it is.
func MeasureTSC() (int, error) {
	const rounds, window = 3, 10 * time.Millisecond
	var measured []int
	for range rounds {
		start, from := time.Now(), rdtsc()
		time.Sleep(window)
		to, took := rdtsc(), time.Since(start)
		measured = append(measured, int(float64(to-from)*1e6/float64(took)))
	}
	slices.Sort(measured)
	khz := measured[rounds/2] // a round that was interrupted is not in the middle
	if khz < 100_000 || khz > 100_000_000 {
		return 0, errors.New("the processor's time stamp counter does not run evenly")
	}
	return khz, nil
}
