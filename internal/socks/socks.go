// Package socks is the server's half of a SOCKS handshake: versions 4, 4a and 5
// (RFC 1928), for connections to be made and without authentication.
package socks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
)

// maxString bounds a string of version 4, which has no length of its own.
const maxString = 255

// ErrUnsupported is a request that this server does not serve.
var ErrUnsupported = errors.New("socks: unsupported request")

// Request is what a client wants to be connected to.
type Request struct {
	Host string
	Port uint16

	version byte
}

// Read reads a client's request and nothing beyond it. A client that cannot be
// served is told so.
func Read(c io.ReadWriter) (Request, error) {
	version, err := readByte(c)
	if err != nil {
		return Request{}, err
	}
	switch version {
	case 4:
		return read4(c)
	case 5:
		return read5(c)
	}
	return Request{}, fmt.Errorf("%w: version %d", ErrUnsupported, version)
}

// Reply tells the client whether it is connected.
func (r Request) Reply(w io.Writer, ok bool) error {
	reply := []byte{0, 90, 0, 0, 0, 0, 0, 0}
	if r.version == 5 {
		reply = []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	}
	if !ok {
		reply[1] = map[byte]byte{4: 91, 5: 5}[r.version] // rejected; connection refused
	}
	_, err := w.Write(reply)
	return err
}

func read4(c io.ReadWriter) (Request, error) {
	r := Request{version: 4}
	var fixed [7]byte // command, port, address
	if _, err := io.ReadFull(c, fixed[:]); err != nil {
		return r, fmt.Errorf("socks: %w", err)
	}
	if _, err := readString(c); err != nil { // the user's name, which says nothing
		return r, err
	}
	r.Port = binary.BigEndian.Uint16(fixed[1:])
	ip := [4]byte(fixed[3:])
	r.Host = netip.AddrFrom4(ip).String()
	if ip[0] == 0 && ip[1] == 0 && ip[2] == 0 && ip[3] != 0 { // 4a: a name follows
		var err error
		if r.Host, err = readString(c); err != nil {
			return r, err
		}
	}
	if fixed[0] != 1 || r.Host == "" {
		_ = r.Reply(c, false)
		return r, ErrUnsupported
	}
	return r, nil
}

func read5(c io.ReadWriter) (Request, error) {
	r := Request{version: 5}
	if err := greet5(c); err != nil {
		return r, err
	}
	var fixed [4]byte // version, command, reserved, kind of address
	if _, err := io.ReadFull(c, fixed[:]); err != nil {
		return r, fmt.Errorf("socks: %w", err)
	}
	var err error
	if r.Host, err = readHost5(c, fixed[3]); err != nil {
		return r, err
	}
	var port [2]byte
	if _, err := io.ReadFull(c, port[:]); err != nil {
		return r, fmt.Errorf("socks: %w", err)
	}
	r.Port = binary.BigEndian.Uint16(port[:])
	if fixed[0] != 5 || fixed[1] != 1 || r.Host == "" {
		_, _ = c.Write([]byte{5, 7, 0, 1, 0, 0, 0, 0, 0, 0})
		return r, ErrUnsupported
	}
	return r, nil
}

// greet5 agrees on no authentication.
func greet5(c io.ReadWriter) error {
	n, err := readByte(c)
	if err != nil {
		return err
	}
	methods := make([]byte, n)
	if _, err := io.ReadFull(c, methods); err != nil {
		return fmt.Errorf("socks: %w", err)
	}
	if slices.Contains(methods, 0) {
		_, err := c.Write([]byte{5, 0})
		return err
	}
	_, _ = c.Write([]byte{5, 0xff})
	return fmt.Errorf("%w: the client wants to authenticate", ErrUnsupported)
}

func readHost5(c io.ReadWriter, kind byte) (string, error) {
	var n int
	switch kind {
	case 1:
		n = 4
	case 4:
		n = 16
	case 3:
		length, err := readByte(c)
		if err != nil {
			return "", err
		}
		n = int(length)
	default:
		_, _ = c.Write([]byte{5, 8, 0, 1, 0, 0, 0, 0, 0, 0})
		return "", fmt.Errorf("%w: kind %d of address", ErrUnsupported, kind)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		return "", fmt.Errorf("socks: %w", err)
	}
	if ip, ok := netip.AddrFromSlice(b); ok && kind != 3 {
		return ip.String(), nil
	}
	return string(b), nil
}

func readByte(r io.Reader) (byte, error) {
	var b [1]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, fmt.Errorf("socks: %w", err)
	}
	return b[0], nil
}

func readString(r io.Reader) (string, error) {
	var s []byte
	for len(s) <= maxString {
		b, err := readByte(r)
		if err != nil {
			return "", err
		}
		if b == 0 {
			return string(s), nil
		}
		s = append(s, b)
	}
	return "", fmt.Errorf("%w: a string without an end", ErrUnsupported)
}
