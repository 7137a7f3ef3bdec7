package command

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strconv"
	"strings"

	"github.com/snugvm/snug/internal/relay"
)

// launcher is the program of the exec. The script comes over stdin: no tool, no
// remote shell and no service manager can misread what stands in its quotes, and
// nobody sees it in a list of processes. POSIX has read take no byte beyond the
// line.
var launcher = []string{"sh", "-c", `read -r snug;eval "$snug"`}

// chunkSize is how much of the binary is under way at a time. Older tools lose
// themselves in more than 64 KiB that nobody has taken, and a busybox head
// swallows whatever else is there.
const chunkSize = 32 << 10

// script is the bootstrap. It is sent as one line, so each of its lines ends
// where a shell wants a blank or a semicolon that stands there. Beside a shell it
// needs chmod and, to be quick, one of head and dd; gzip, uname, rm and /dev/null
// help where they are.
//
// Its answers are lines of "@", the nonce, a blank and:
//
//	warm ARCH FOLDER                  the agent is there
//	send ARCH KERNEL HOW PACK FOLDER  it is to be sent, to be taken by HOW, PACKed or raw
//	none                              nowhere to put it, or, at the end, no agent
//	ok                                a chunk was taken
//	full | unpack                     the folder took no more
//	got                               all of it was taken
//
// The nonce arrives in two halves, so that a sandbox that only echoes what it is
// told is no answer. Variables begin with sn_: the image may have any other.
const script = `
sn_say() { echo "@$sn_a$sn_b $*"; };
sn_die() { sn_say "$@"; exit 1; };
sn_not() { case $sn_n in *":$1:"*) return 0;; esac; [ ! -d "$1" ]; };
sn_our() { [ -O "$1" ] && [ ! -L "$1" ]; };
sn_u=$(umask); umask 077;
exec 3>&2; if [ -c /dev/null ]; then exec 2>/dev/null; fi;
sn_m=; { read -r sn_m </proc/sys/kernel/arch; } || sn_m=$(uname -m); sn_s=$(uname -s);
case $sn_m in x86_64|amd64) sn_h=$sn_x;; aarch64|arm64) sn_h=$sn_r;; *) sn_h=;; esac;
case $sn_f in end) sn_h="*";; fresh) sn_h=;; esac;
eval "set -- $sn_p";

sn_d=; for sn_e do sn_not "$sn_e" && continue;
for sn_l in "$sn_e"/snug-agent-*/"$sn_i"; do
if sn_our "${sn_l%/*}" && sn_our "$sn_l"; then sn_d=$sn_e; break 2; fi;
done; done;
if [ -n "$sn_d" ]; then set -- "$sn_d"; elif [ $sn_f = end ]; then sn_die none; fi;

sn_g=; if [ -n "$sn_h" ]; then
for sn_e do sn_not "$sn_e" && continue;
for sn_l in "$sn_e"/snug-agent-*/agent-$sn_h; do
if sn_our "${sn_l%/*}" && sn_our "$sn_l" && [ -x "$sn_l" ]; then sn_g=$sn_l; sn_d=$sn_e; break 2; fi;
done; done; fi;

if [ -n "$sn_g" ]; then sn_say warm "${sn_m:-?}" "$sn_d"; elif [ $sn_f = end ]; then sn_die none; else
sn_d=; for sn_e do sn_not "$sn_e" && continue;
sn_t=$sn_e/.snug-$sn_a;
( set -C; { if [ -x /bin/sh ]; then echo "#!/bin/sh"; fi; echo "exit 7"; } >"$sn_t" ) || continue;
chmod 700 "$sn_t"; "$sn_t" <"$sn_t";
if [ $? = 7 ]; then sn_d=$sn_e; break; fi; rm -f "$sn_t";
done;
[ -n "$sn_d" ] || sn_die none;
trap "exit 1" 1 2 13 15; trap 'rm -f "$sn_t" "$sn_t.gz"' 0;

sn_c=none;
if [ "$(printf "\170")" = x ]; then sn_c=printf; fi;
if [ "$(echo xy | dd bs=1 count=1)" = x ]; then sn_c=dd; fi;
if [ "$(echo xy | dd bs=1 count=1 iflag=fullblock)" = x ]; then sn_c=block; fi;
if [ "$(echo xy | head -c 1)" = x ]; then sn_c=head; fi;
sn_z=raw; if [ "$(echo x | gzip -c | gzip -dc)" = x ]; then sn_z=gzip; fi;
sn_get() { case $sn_c in
head) head -c $1 >&4;; block) dd bs=$1 count=1 iflag=fullblock >&4;; dd) dd bs=1 count=$1 >&4;;
printf) read -r sn_l && printf "$sn_l" >&4;; esac; };

sn_say send "${sn_m:-?}" "${sn_s:-?}" $sn_c $sn_z "$sn_d";
read -r sn_k sn_w || exit 1;
sn_o=$sn_t; if [ $sn_z = gzip ]; then sn_o=$sn_t.gz; fi;
exec 4>"$sn_o";
while [ $sn_k -gt 0 ]; do sn_k=$((sn_k-1)); sn_get 32768 || sn_die full; sn_say ok; done;
if [ $sn_w -gt 0 ]; then sn_get $sn_w || sn_die full; sn_say ok; fi;
exec 4>&-;
if [ $sn_z = gzip ]; then gzip -dc <"$sn_o" >"$sn_t" || sn_die unpack; rm -f "$sn_o"; fi;
chmod 700 "$sn_t"; sn_g=$sn_t; sn_say got;
fi;

read -r sn_l && [ "$sn_l" = go ] || exit 1;
umask $sn_u; exec "$sn_g" enter "$sn_d" 2>&3 3>&-
`

// purposes of a script, as its sn_f.
const (
	forRelay = "relay" // whatever agent of this version is there
	forFresh = "fresh" // the agent that is there is not to be trusted
	forEnd   = "end"   // the end of the agent that is there, of any version
)

// usualFolders are where the agent is put, as words of the shell: first where it
// is in memory and gone with the machine, last where it can only be meant for
// what it is.
const usualFolders = `/dev/shm "$XDG_RUNTIME_DIR" /tmp /run "$TMPDIR" "$HOME" /var/tmp /mnt "$PWD" /`

// bootstrap is the line that the launcher reads.
type bootstrap struct {
	nonce   string   // 32 hex digits
	id      string   // of the agent's folder
	amd64   string   // the hash of the agent for each architecture, or ""
	arm64   string   //
	folders []string // to try; nil for the usual ones
	avoid   []string // folders that have been tried in vain
	purpose string
}

func (b bootstrap) line() string {
	half := len(b.nonce) / 2
	avoid := ":" + strings.Join(b.avoid, ":") + ":"
	folders := usualFolders
	if b.folders != nil {
		folders = ""
		for _, f := range b.folders {
			folders += " " + quote(f)
		}
	}
	vars := fmt.Sprintf("sn_a=%s; sn_b=%s; sn_i=%s; sn_x=%s; sn_r=%s; sn_f=%s; sn_n=%s; sn_p=%s;",
		b.nonce[:half], b.nonce[half:], b.id, relay.ShortHash(b.amd64), relay.ShortHash(b.arm64), b.purpose, quote(avoid), quote(folders))
	return vars + strings.ReplaceAll(script, "\n", " ") + "\n"
}

// quote quotes a word for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// How a shell takes chunks.
const (
	takePrintf = "printf" // each chunk as a line for printf
	takeNone   = "none"
	packGzip   = "gzip"
)

// encode makes the chunks of a binary as a shell takes them.
func encode(binary []byte, how string) (chunks [][]byte, last int) {
	last = len(binary) % chunkSize
	for len(binary) > 0 {
		n := min(chunkSize, len(binary))
		chunk := binary[:n]
		if how == takePrintf {
			chunk = octal(chunk)
		}
		chunks = append(chunks, chunk)
		binary = binary[n:]
	}
	return chunks, last
}

// octal makes of bytes a line that printf turns back: the slow way, for a sandbox
// that has no program that stops reading in time.
func octal(b []byte) []byte {
	line := make([]byte, 0, 3*len(b))
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			// A digit could only be misread after fewer than three digits.
			line = append(line, c)
		default:
			line = append(line, '\\')
			oct := strconv.FormatUint(uint64(c), 8)
			line = append(line, "000"[len(oct):]...)
			line = append(line, oct...)
		}
	}
	return append(line, '\n')
}

// pack compresses a binary. Half of the time to send it is worth more than the
// last percents.
func pack(binary []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, 4)
	if err != nil {
		return nil, fmt.Errorf("compress the agent: %w", err)
	}
	if _, err := w.Write(binary); err != nil {
		return nil, fmt.Errorf("compress the agent: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress the agent: %w", err)
	}
	return b.Bytes(), nil
}
