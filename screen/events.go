package screen

// EventKind says what a program told its terminal beside what to show.
type EventKind uint8

// The kinds of events.
const (
	Bell             EventKind = iota + 1
	TitleChanged               // Text is the new title
	IconNameChanged            // Text is the new name
	DirectoryChanged           // Text is a file URL (OSC 7)
	Notification               // Title and Text, by OSC 9, 99 or 777
	Progress                   // Text is "state;percent" (OSC 9;4)
	PromptMark                 // Text is "A", "B", "C" or "D;status" (OSC 133)
	ClipboardWrite             // Title names the selections, Text is the content in base64 (OSC 52)
	ClipboardRead              // Title names the selections: the program asks for the content
)

// Event is one thing that a program told. None needs an answer: a clipboard that is not to be read is not answered.
type Event struct {
	Kind  EventKind
	Title string
	Text  string
}

// Bounds of the events that wait to be taken. Beyond them the oldest are dropped.
const (
	maxEvents     = 256
	maxEventBytes = 1 << 20
)

// TakeEvents returns what the program told since the last call, in its order.
func (s *Screen) TakeEvents() []Event {
	events := s.events
	s.events = nil
	return events
}

// tell keeps an event. Bells in a row are one: a program that rings at each keystroke says no more by it.
func (s *Screen) tell(e Event) {
	if n := len(s.events); e.Kind == Bell && n > 0 && s.events[n-1].Kind == Bell {
		return
	}
	s.events = append(s.events, e)
	bytes := 0
	for _, old := range s.events {
		bytes += len(old.Title) + len(old.Text)
	}
	drop := 0
	for len(s.events)-drop > maxEvents || bytes > maxEventBytes {
		bytes -= len(s.events[drop].Title) + len(s.events[drop].Text)
		drop++
	}
	if drop > 0 {
		s.events = append(s.events[:0], s.events[drop:]...)
	}
}
