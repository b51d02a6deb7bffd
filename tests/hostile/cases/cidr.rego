# expect: work
package hostile.cidr

decision if count(net.cidr_expand("0.0.0.0/0")) > 0
