# expect: work
package hostile.sprintf_width

decision if count(sprintf("%999999999d", [1])) > 0
