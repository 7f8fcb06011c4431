resource "aws_sfn_state_machine" "orders" {
  name       = "orders"
  definition = file("orders.asl.json")
}
