# expect: deny work
package hostile.numbers_written_short

decision if json.unmarshal("1e999999999") > 0
