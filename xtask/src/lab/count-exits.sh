#!/bin/sh
# count-exits [-v] COMMAND...
# Runs a command and counts KVM's exits meanwhile, by the tracepoint kvm_exit. /tmp/exits.txt gets a line
# "code name count" for each reason. With -v, /tmp/exits-detail.txt says which addresses, registers, leaves and
# ports they were about, and both are printed on standard error. The status is the command's.
events=/sys/kernel/tracing/events/kvm
verbose=
if [ "$1" = -v ]; then
    verbose=yes
    shift
fi
if [ $# = 0 ]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 64
fi

triggers="kvm_exit hist:keys=exit_reason"
if [ $verbose ]; then
    triggers="$triggers
kvm_mmio hist:keys=gpa.hex,type
kvm_pio hist:keys=port.hex,rw
kvm_msr hist:keys=ecx.hex,write
kvm_cpuid hist:keys=function.hex,index.hex
kvm_page_fault hist:keys=fault_address.hex,error_code.hex
kvm_inj_virq hist:keys=vector.hex"
fi
each() { echo "$triggers" | while read -r event trigger; do "$@"; done; }
start() { echo "$trigger:size=16384" >$events/$event/trigger || echo "count-exits: no trigger on $event" >&2; }
stop() { echo "!$trigger" >$events/$event/trigger; }

each start
"$@"
status=$?
awk '
BEGIN {
    split("0 CR0_READ 2 CR2_READ 3 CR3_READ 4 CR4_READ 8 CR8_READ 16 CR0_WRITE 18 CR2_WRITE 19 CR3_WRITE 20 CR4_WRITE" \
        " 24 CR8_WRITE 32 DR0_READ 39 DR7_READ 48 DR0_WRITE 55 DR7_WRITE 65 EXCP_DB 67 EXCP_BP 70 EXCP_UD 71 EXCP_NM" \
        " 78 EXCP_PF 81 EXCP_AC 82 EXCP_MC 96 INTR 97 NMI 98 SMI 99 INIT 100 VINTR 101 CR0_SEL_WRITE 102 IDTR_READ" \
        " 103 GDTR_READ 104 LDTR_READ 105 TR_READ 106 IDTR_WRITE 107 GDTR_WRITE 108 LDTR_WRITE 109 TR_WRITE 110 RDTSC" \
        " 111 RDPMC 112 PUSHF 113 POPF 114 CPUID 115 RSM 116 IRET 117 SWINT 118 INVD 119 PAUSE 120 HLT 121 INVLPG" \
        " 122 INVLPGA 123 IOIO 124 MSR 125 TASK_SWITCH 126 FERR_FREEZE 127 SHUTDOWN 128 VMRUN 129 VMMCALL 130 VMLOAD" \
        " 131 VMSAVE 132 STGI 133 CLGI 134 SKINIT 135 RDTSCP 136 ICEBP 137 WBINVD 138 MONITOR 139 MWAIT 140 MWAIT_COND" \
        " 141 XSETBV 142 RDPRU 143 EFER_WRITE_TRAP 162 INVPCID 163 BUS_LOCK 165 IDLE_HLT 1024 NPF" \
        " 1025 AVIC_INCOMPLETE_IPI 1026 AVIC_UNACCELERATED_ACCESS 1027 VMGEXIT", svm)
    for (i = 1; i in svm; i += 2) name[svm[i]] = svm[i + 1]
}
/^[{] exit_reason:/ { print $3, ($3 in name ? name[$3] : "UNKNOWN"), $6 }
' $events/kvm_exit/hist | sort -n >/tmp/exits.txt
if [ $verbose ]; then
    detail() {
        [ $event = kvm_exit ] && return
        echo "== $event"
        grep "^{" $events/$event/hist | sed 's/^{ *//; s/ *} hitcount: */ /; s/,/ /g; s/: */=/g' |
            awk '{ count = $NF; $NF = ""; printf "%10d  %s\n", count, $0 }' | sort -rn
    }
    each detail >/tmp/exits-detail.txt
fi
each stop
if [ $verbose ]; then
    { sort -k3nr /tmp/exits.txt; cat /tmp/exits-detail.txt; } >&2
fi
exit $status
