"""The numbers of the system calls that filters name, for each machine."""

from __future__ import annotations

__all__ = ["ARCHITECTURES", "BY_ARGUMENT", "NEEDED", "NEEDLESS", "UNKNOWN_FROM", "numbers"]

# Machine → AUDIT_ARCH_… (linux/audit.h).
ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

# Each line: name, number on x86_64 (asm/unistd_64.h), on aarch64 (asm-generic/unistd.h), which lacks the older forms.

# All that computing in threads and talking over open descriptors needs; the first ones are asked for most.
NEEDED = """
futex 202 98
read 0 63
write 1 64
readv 19 65
writev 20 66
close 3 57
poll 7 -
ppoll 271 73
select 23 -
pselect6 270 72
munmap 11 215
mremap 25 216
madvise 28 233
brk 12 214
clock_gettime 228 113
clock_getres 229 114
clock_nanosleep 230 115
nanosleep 35 101
gettimeofday 96 169
sched_yield 24 124
sched_getaffinity 204 123
getcpu 309 168
rt_sigaction 13 134
rt_sigprocmask 14 135
rt_sigreturn 15 139
sigaltstack 131 132
restart_syscall 219 128
getpid 39 172
gettid 186 178
getppid 110 173
getrusage 98 165
sysinfo 99 179
getrandom 318 278
rseq 334 293
set_robust_list 273 99
membarrier 324 283
exit 60 93
exit_group 231 94
"""

# What is allowed by its arguments, and what the filters themselves use.
BY_ARGUMENT = """
clone 56 220
mmap 9 222
mprotect 10 226
tgkill 234 131
prctl 157 167
clone3 435 435
seccomp 317 277
prlimit64 302 261
"""

# What no ffmpeg needs to turn one file into another: the network, other processes, and what changes files although
# Landlock does not look at it.
NEEDLESS = """
socket 41 198
socketpair 53 199
connect 42 203
sendto 44 206
bind 49 200
listen 50 201
fork 57 -
vfork 58 -
kill 62 129
tkill 200 130
rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240
setpriority 141 140
ioprio_set 251 30
sched_setparam 142 118
sched_setscheduler 144 119
sched_setattr 314 274
sched_setaffinity 203 122
migrate_pages 256 238
move_pages 279 239
kcmp 312 272
process_madvise 440 440
process_mrelease 448 448
open_by_handle_at 304 265
shmget 29 194
shmat 30 196
msgget 68 186
semget 64 190
mq_open 240 180
truncate 76 45
chmod 90 -
fchmod 91 52
fchmodat 268 53
chown 92 -
lchown 94 -
fchown 93 55
fchownat 260 54
utime 132 -
utimes 235 -
futimesat 261 -
utimensat 280 88
setxattr 188 5
lsetxattr 189 6
fsetxattr 190 7
removexattr 197 14
lremovexattr 198 15
fremovexattr 199 16
ptrace 101 117
process_vm_readv 310 270
process_vm_writev 311 271
pidfd_open 434 434
pidfd_getfd 438 438
pidfd_send_signal 424 424
mount 165 40
umount2 166 39
pivot_root 155 41
chroot 161 51
unshare 272 97
setns 308 268
add_key 248 217
request_key 249 218
keyctl 250 219
bpf 321 280
perf_event_open 298 241
userfaultfd 323 282
io_uring_setup 425 425
"""

# What came after Linux 5.16 has the same numbers on every machine from here on. Nobody has looked at these calls, and
# programs do without them on older kernels.
UNKNOWN_FROM = 450


def numbers(table: str, machine: str) -> dict[str, int]:
    """Name → number of the calls of a table that the machine (one of ARCHITECTURES) has."""
    rows = (line.split() for line in table.split("\n") if line)
    column = 1 + list(ARCHITECTURES).index(machine)
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}
