# expect: deny work
package hostile.units

decision if units.parse("1e999999999") > 0
