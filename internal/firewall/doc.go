// Package firewall stands between what a guest prints and the user's terminal.
//
// A terminal is an interpreter that trusts its input: it can be told to type its title or its clipboard as if the user
// had, to read files of its host, to move its window, to define keys. Guests are not trusted, so [Filter] passes what
// draws, answers what must not be asked, and drops the rest; docs/security.md lists every sequence with the attack that
// its verdict stops.
//
// Two principles decide what the tables here do not:
//
//   - What passes is unambiguous. Terminals disagree about malformed input (where a string ends, what a control within a
//     sequence does, whether a byte from 0x80 to 0x9f is a control), and what reads one way here and another way there
//     is the way around a filter. So only complete, well-formed sequences of bounded length leave, and nothing leaves
//     that would make the terminal read otherwise from then on, such as VT52 mode or another coding than UTF-8.
//   - What is asked may be answered only in a fixed form. A reply is typed as the user's input; one that carries text
//     which the guest chose is a command typed by the guest.
//
// Text passes at once and untouched, and a sequence as soon as it is complete; output that has nothing to be filtered is
// returned as it came, without a copy.
package firewall
