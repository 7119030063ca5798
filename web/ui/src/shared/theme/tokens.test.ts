import { expect, test } from 'vitest'
import { cssVariables, tokens, type ThemeName, type Tokens } from './tokens'

function luminance(hex: string): number {
  const channel = (i: number) => {
    const v = parseInt(hex.slice(1 + i * 2, 3 + i * 2), 16) / 255
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
  }
  return 0.2126 * channel(0) + 0.7152 * channel(1) + 0.0722 * channel(2)
}

// The contrast ratio of WCAG 2.1.
function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

const themes = Object.entries(tokens) as [ThemeName, Tokens][]

test.each(themes)('text on every level of %s has at least 4.5 : 1', (_, t) => {
  t.levelFill.forEach((fill, level) => expect(contrast(fill, t.levelInk[level]!), `level ${level}`).toBeGreaterThanOrEqual(4.5))
})

test.each(themes)('text, muted text and level words on the panels of %s have at least 4.5 : 1', (_, t) => {
  for (const ground of [t.panelSolid, t.background]) {
    for (const ink of [t.text, t.muted, t.accent, t.ok, ...t.levels]) {
      expect(contrast(ground, ink), `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5)
    }
  }
  expect(contrast(t.accentFill, t.accentInk)).toBeGreaterThanOrEqual(4.5)
})

test('both themes set the same variables', () => {
  expect(Object.keys(cssVariables('light'))).toEqual(Object.keys(cssVariables('dark')))
})
