# expect: deny work wall_clock
package hostile.unmarshalled_deep

t0 := "[[[[[[[["

t1 := concat("", [t0, t0])

t2 := concat("", [t1, t1])

t3 := concat("", [t2, t2])

t4 := concat("", [t3, t3])

t5 := concat("", [t4, t4])

t6 := concat("", [t5, t5])

t7 := concat("", [t6, t6])

t8 := concat("", [t7, t7])

t9 := concat("", [t8, t8])

t10 := concat("", [t9, t9])

t11 := concat("", [t10, t10])

t12 := concat("", [t11, t11])

t13 := concat("", [t12, t12])

t14 := concat("", [t13, t13])

t15 := concat("", [t14, t14])

t16 := concat("", [t15, t15])

t17 := concat("", [t16, t16])

t18 := concat("", [t17, t17])

decision if json.unmarshal(t18) == 1
