// Package agent is the guest's side of snug: it starts programs on PTYs or
// pipes, keeps them, and answers the keeper over the link. Nothing more: no
// screen, no policy, no knowledge of the sandbox around it.
package agent
