// What requests look like. Whatever does not fit is refused before the studio looks at it.

type Schema = Readonly<Record<string, unknown>>;

const text = (maxLength: number): Schema => ({ type: 'string', minLength: 1, maxLength });
const whole = (minimum: number, maximum: number): Schema => ({ type: 'integer', minimum, maximum });
const closed = (properties: Schema, required: readonly string[] = Object.keys(properties)): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});

const outline: Schema = { type: 'array', maxItems: 20_000, items: { type: 'number' } };

const object = closed(
  {
    id: { type: 'integer' },
    classId: { type: 'integer' },
    polygons: { type: 'array', maxItems: 1000, items: outline },
    box: { type: 'array', minItems: 4, maxItems: 4, items: { type: 'number' } },
    editable: { type: 'boolean' },
  },
  ['classId', 'polygons', 'box'],
);

export const session: Schema = { body: closed({ token: text(200) }) };
export const objects: Schema = {
  body: closed({ revision: text(64), objects: { type: 'array', maxItems: 10_000, items: object } }),
};
export const split: Schema = { body: closed({ split: { enum: ['train', 'val'] } }) };
export const className: Schema = { body: closed({ name: text(1000) }) };
export const upload: Schema = { querystring: closed({ name: text(1000) }) };
export const size: Schema = { querystring: closed({ side: whole(16, 1024), revision: text(64) }, []) };
export const proposal: Schema = { body: closed({ picture: text(300), model: text(1000) }) };
export const attempt: Schema = { querystring: closed({ model: text(1000) }) };
export const startRun: Schema = {
  body: closed(
    {
      name: text(100),
      from: text(1000),
      steps: whole(1, 1_000_000),
      batchSize: whole(1, 64),
      learningRate: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
    },
    ['name', 'from', 'steps', 'batchSize'],
  ),
};
export const resumeRun: Schema = { body: closed({ steps: whole(1, 1_000_000) }, []) };
