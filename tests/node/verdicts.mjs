// What graphql-js says about documents: `node verdicts.mjs SCHEMA.graphql CASES.json` reads an array of {text, variables?, operationName?}
// and prints an array of {stage, message?}, stage being "accept", or the step that refuses: "parse", "validate", "operation", "variables".
//
// A case with `written` (the same operation as this server writes it for its executor, as text) is also executed in both forms over made-up
// data, whose values tell the arguments that arrived; `answers` then holds the two answers.

import { readFileSync } from 'node:fs';
import {
  buildSchema,
  executeSync,
  getNamedType,
  getNullableType,
  getVariableValues,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  GraphQLError,
  Kind,
  MaxIntrospectionDepthRule,
  parse,
  specifiedRules,
  typeFromAST,
  validate,
} from 'graphql';

// The specification refuses a nullable variable as the field of a @oneOf input object. graphql-js 16 does so only where the object's type
// stands without `!` and outside of lists; this rule asks for it everywhere, as this server does.
function OneOfVariablesRule(context) {
  let nullable = new Set();
  return {
    OperationDefinition: {
      enter(operation) {
        nullable = new Set();
        for (const definition of operation.variableDefinitions ?? []) {
          const type = typeFromAST(context.getSchema(), definition.type);
          if (type && !isNonNullType(type)) nullable.add(definition.variable.name.value);
        }
      },
      leave(operation) {
        for (const { node, parentType } of context.getRecursiveVariableUsages(operation)) {
          const parent = parentType && getNamedType(parentType);
          if (isInputObjectType(parent) && parent.isOneOf && nullable.has(node.name.value)) {
            context.reportError(new GraphQLError('A nullable variable in a @oneOf input object.', { nodes: node }));
          }
        }
      },
    },
  };
}

// A Float literal that a double cannot hold becomes Infinity in graphql-js; here it is refused.
function FiniteFloatRule(context) {
  const check = (node) => {
    const type = context.getInputType() && getNamedType(context.getInputType());
    if (type?.name === 'Float' && !Number.isFinite(Number(node.value))) {
      context.reportError(new GraphQLError('A Float beyond double precision.', { nodes: node }));
    }
  };
  return { IntValue: check, FloatValue: check };
}

// Deprecation of directives is an experiment that graphql-js describes in its introspection; the executor here has no such fields.
function NoDirectiveDeprecationRule(context) {
  return {
    Field(node) {
      const parent = context.getParentType()?.name;
      const name = node.name.value;
      const fields = parent === '__Directive' && (name === 'isDeprecated' || name === 'deprecationReason');
      const argument = parent === '__Schema' && name === 'directives' && (node.arguments ?? []).length > 0;
      if (fields || argument) {
        context.reportError(new GraphQLError('Deprecation of directives is not described.', { nodes: node }));
      }
    },
  };
}

const own = [OneOfVariablesRule, FiniteFloatRule, NoDirectiveDeprecationRule];
const rules = [...new Set([...specifiedRules, MaxIntrospectionDepthRule, ...own])];

function verdict(schema, { text, variables, operationName, written }) {
  let document;
  try {
    document = parse(text);
  } catch (error) {
    return { stage: 'parse', message: error.message };
  }
  let errors;
  try {
    errors = validate(schema, document, rules, { maxErrors: 5 });
  } catch (error) {
    // A rule that evaluates @skip on a variable throws instead of reporting.
    errors = [error];
  }
  if (errors.length > 0) return { stage: 'validate', message: errors[0].message };
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const chosen =
    operationName == null ? operations : operations.filter((operation) => operation.name?.value === operationName);
  if (chosen.length !== 1) return { stage: 'operation', message: 'no single operation' };
  const result = getVariableValues(schema, chosen[0].variableDefinitions ?? [], variables ?? {});
  if (result.errors) return { stage: 'variables', message: result.errors[0].message };
  if (written === undefined) return { stage: 'accept' };
  const rewritten = parse(written);
  // A variable that is null where null is not allowed is a matter of execution, for both forms.
  const wrong = validate(schema, rewritten, specifiedRules).filter(({ message }) => !message.endsWith('found null.'));
  if (wrong.length > 0) return { stage: 'accept', answers: ['valid', wrong[0].message] };
  const theirs = answer(schema, document, operationName, variables);
  return { stage: 'accept', answers: [theirs, answer(schema, rewritten)] };
}

// Made-up data: the same for the same path and arguments.

function dice(text) {
  let hash = 7;
  for (const character of text) hash = (hash * 31 + character.codePointAt(0)) % 1_000_003;
  return hash;
}

function made(type, place, told) {
  const bare = getNullableType(type);
  if (isListType(bare)) return [0, 1].map((index) => made(bare.ofType, `${place}/${index}`, told));
  if (isCompositeType(bare)) return { place };
  if (isEnumType(bare)) return bare.getValues()[dice(told) % bare.getValues().length].value;
  switch (bare.name) {
    case 'Int':
      return dice(told);
    case 'Float':
      return dice(told) / 4;
    case 'Boolean':
      return dice(told) % 2 === 0;
    default:
      return told;
  }
}

function placeOf(path) {
  return path ? `${placeOf(path.prev)}/${path.key}` : '';
}

function answer(schema, document, operationName, variableValues) {
  const { data } = executeSync({
    schema,
    document,
    operationName,
    variableValues,
    rootValue: { place: '' },
    fieldResolver: (source, args, context, info) => {
      const told = `${info.fieldName} ${JSON.stringify(args, sorted)}`;
      return made(info.returnType, placeOf(info.path), told);
    },
    typeResolver: ({ place }, context, info, type) => {
      const possible = info.schema.getPossibleTypes(type);
      return possible[dice(place) % possible.length].name;
    },
  });
  return JSON.stringify(data, sorted);
}

function sorted(key, value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [two]) => (one < two ? -1 : 1)));
}

const [schemaFile, casesFile] = process.argv.slice(2);
const schema = buildSchema(readFileSync(schemaFile, 'utf8'));
const cases = JSON.parse(readFileSync(casesFile, 'utf8'));
process.stdout.write(JSON.stringify(cases.map((item) => verdict(schema, item))));
