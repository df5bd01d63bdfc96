// What graphql-js says about documents: `node verdicts.mjs SCHEMA.graphql CASES.json` reads an array of {text, variables?, operationName?}
// and prints an array of {stage, message?}, stage being "accept", or the step that refuses: "parse", "validate", "operation", "variables".

import { readFileSync } from 'node:fs';
import {
  buildSchema,
  getNamedType,
  getVariableValues,
  isInputObjectType,
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

const rules = [...new Set([...specifiedRules, MaxIntrospectionDepthRule, OneOfVariablesRule, FiniteFloatRule])];

function verdict(schema, { text, variables, operationName }) {
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
  return { stage: 'accept' };
}

const [schemaFile, casesFile] = process.argv.slice(2);
const schema = buildSchema(readFileSync(schemaFile, 'utf8'));
const cases = JSON.parse(readFileSync(casesFile, 'utf8'));
process.stdout.write(JSON.stringify(cases.map((item) => verdict(schema, item))));
