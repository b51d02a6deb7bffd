# expect: answer
# context: deep
package hostile.walked_deep

decision if count([p | walk(input, [p, _])]) > 10
