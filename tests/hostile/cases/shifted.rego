# expect: work
package hostile.shifted

decision if bits.lsh(1, 4000000000) > 0
