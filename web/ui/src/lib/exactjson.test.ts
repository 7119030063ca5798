import { expect, test } from 'vitest'
import { parseExact } from './exactjson'

test('no digit of a number is lost', () => {
  expect(parseExact('{"account":370602199001011238,"long":0.12345678901234567890,"list":[-9007199254740993]}')).toEqual({
    account: '370602199001011238',
    long: '0.12345678901234567890',
    list: ['-9007199254740993'],
  })
})

test('other numbers are numbers, and what looks like one in a text is left alone', () => {
  const text = '{"a":1.5,"b":-0.000001,"c":1e3,"d":121.390000000001,"xy":[121.39000000000001,37.540000000000006],"e":"370602199001011238","f\\"370602199001011238":"\\\\","g":[],"h":null,"i":true}'
  expect(parseExact(text)).toEqual(JSON.parse(text))
})

test('what is no JSON is refused', () => {
  for (const text of ['', '{', '{"a":01}', '370602199001011238 1']) expect(() => parseExact(text), text).toThrow(SyntaxError)
})
