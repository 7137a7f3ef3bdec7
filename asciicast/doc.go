// Package asciicast writes and reads recordings of terminals in the formats asciicast v3 and v2, which asciinema and its
// players know (https://docs.asciinema.org/manual/asciicast/v3).
//
//	w, err := asciicast.NewWriter(file, asciicast.Header{Cols: 80, Rows: 24, Title: "demo"})
//	err = w.Output(250*time.Millisecond, p)
//	err = w.Exit(2*time.Second, 0)
//	err = w.Close()
//
//	r, err := asciicast.NewReader(file)
//	for e, err := r.Next(); err == nil; e, err = r.Next() { ... }
//
// A recording is text, a line for each thing: first a header, a JSON object; then events, JSON arrays of a time in seconds,
// a code and a text. In v2 the time is that since the beginning, in v3 that since the event before.
//
// # Times
//
// An event's time is rounded to a microsecond since the beginning, and what v3 writes is the difference of two such times.
// So the roundings do not add up: the sum of all intervals is exact, however many there are.
//
// # Text
//
// An event holds whole characters of UTF-8: one that was cut between two outputs is written with the second, resizes
// and markers between them or not. What is no UTF-8 becomes U+FFFD, one for each longest part that a character could begin
// with (the practice that Unicode recommends, chapter 3.9, and that asciinema follows). So a recording of output that is not
// text does not give its bytes back.
//
// # What is read
//
// A [Reader] takes what asciinema takes: lines that are blank, or comments (#); codes and fields that it does not know; a
// time in v2 that is before the one of the event before, which counts as that one's. Other errors name their line.
package asciicast
