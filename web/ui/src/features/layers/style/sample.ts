// A sample of how something is drawn, for the legend and for the preview of a style: lengths are pixels.

export interface Sample {
  form: 'area' | 'line' | 'circle'
  /** Missing: not filled. */
  fill?: string
  fillOpacity?: number
  stroke?: string
  width?: number
  dashed?: boolean
}

/** The sample of a row of the legend. outline: of the area or the circle. */
export function sampleOf(swatch: 'fill' | 'line' | 'dashed' | 'circle' | 'outline', colour: string, outline?: string): Sample {
  switch (swatch) {
    case 'outline':
      return { form: 'area', stroke: colour, width: 1.5 }
    case 'fill':
      return { form: 'area', fill: colour, ...(outline ? { stroke: outline, width: 1.5 } : {}) }
    case 'circle':
      return { form: 'circle', fill: colour, ...(outline ? { stroke: outline, width: 1.5 } : {}) }
    default:
      return { form: 'line', stroke: colour, width: 1.5, ...(swatch === 'dashed' ? { dashed: true } : {}) }
  }
}
