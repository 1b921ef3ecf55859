"""What is compared and how: all predictors through all measures, folds, and blind studies for a person."""
